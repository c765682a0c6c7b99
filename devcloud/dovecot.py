"""Dovecot with POP3 and IMAP over TLS and XOAUTH2; it checks our tokens' signatures itself."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import shutil
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from devcloud.certificates import CertificateAuthority
from devcloud.ports import free_ports, listens
from devcloud.processes import Process, ProcessFailedError

_CONFIG = """
base_dir = {folder}/run
log_path = /dev/stderr
auth_failure_delay = 0
auth_verbose = yes
first_valid_uid = 1
protocols = pop3 imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = xoauth2 oauthbearer{plain}
auth_username_format = %Lu
mail_location = maildir:{mail}/%u
mail_max_userip_connections = 1000
{users}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf.ext
}}
# Someone to whom Exchange gives full access to a shared mailbox logs in with that mailbox's name.
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2-shared.conf.ext
}}
{password}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={mail}/%u
}}
namespace inbox {{
  inbox = yes
  # As in Exchange Online.
  separator = /
}}
service auth {{
  client_limit = 4000
}}
service anvil {{
  client_limit = 4000
}}
service pop3-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3}
    ssl = yes
  }}
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
}}
service pop3 {{
  process_limit = 2000
}}
service imap {{
  process_limit = 2000
}}
"""

_SHARED_LOGIN = """
# For programs that know no OAuth: one password for every mailbox.
passdb {{
  driver = static
  mechanisms = plain
  args = password={password}
}}
"""

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={keys}/
username_attribute = {attribute}
issuers = {issuers}
"""


class MailServer:
    """A running Dovecot; ``deliver`` is the mail transfer agent."""

    def __init__(
        self, folder: Path, certificates: CertificateAuthority, issuers: Sequence[str], password: str = ""
    ) -> None:
        """Start it on free ports; ``keys`` is where the identity platform's public keys belong.

        With a ``password`` it opens every mailbox to whoever knows that, beside OAuth.
        """
        self._password = password
        program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ProcessFailedError("Dovecot is not installed: apt-get install dovecot-pop3d dovecot-imapd")
        self.folder = folder
        self.keys = folder / "keys"
        self._mail = folder / "mail"
        self._unique = itertools.count()
        for each in (self.keys, self._mail):
            each.mkdir(parents=True, exist_ok=True)
        self.pop3_port, self.imap_port = free_ports(2)
        self._owner = _owner()
        if os.geteuid() == 0:
            os.chown(self._mail, *self._owner)
            _open_the_way(folder)
        self._write_configuration(certificates, issuers)
        self._command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        self._process: Process | None = None
        self.start()

    def start(self) -> None:
        """Start, or start again on the same ports."""
        self._process = Process("Dovecot", self._command, self.folder / "dovecot.log")
        self._process.wait_until(lambda: listens(self.pop3_port) and listens(self.imap_port))

    def stop(self) -> None:
        """Stop; the mail stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def deliver(self, mailbox: str, raw: bytes, at: datetime | None = None) -> None:
        """Put a mail into a mailbox, as a delivery agent does: written to tmp, then renamed into new.

        ``at`` is when it came, for a mail of the past (IMAP: INTERNALDATE).
        """
        maildir = self._maildir(mailbox)
        name = self._unique_name()
        temporary = maildir / "tmp" / name
        temporary.write_bytes(raw)
        if os.geteuid() == 0:
            os.chown(temporary, *self._owner)
        if at is not None:
            os.utime(temporary, (at.timestamp(), at.timestamp()))
        temporary.rename(maildir / "new" / name)

    def deliver_copies(self, mailbox: str, raw: bytes, count: int) -> None:
        """Fill a mailbox with the same mail many times, one file under many names."""
        self.deliver(mailbox, raw)
        folder = self._maildir(mailbox) / "new"
        (first,) = folder.iterdir()
        for _ in range(1, count):
            os.link(first, folder / self._unique_name())

    def _unique_name(self) -> str:
        # Dovecot reads seconds and microseconds out of it, and lists mails of one second in that order.
        seconds, microseconds = divmod(time.time_ns() // 1_000, 1_000_000)
        return f"{seconds}.M{microseconds:06}P{os.getpid()}Q{next(self._unique)}.devcloud"

    def messages(self, mailbox: str) -> list[bytes]:
        """The mails in a mailbox's inbox, oldest first."""
        maildir = self._maildir(mailbox)
        files = [each for part in ("new", "cur") for each in (maildir / part).iterdir()]
        return [each.read_bytes() for each in sorted(files, key=lambda each: each.name)]

    def _maildir(self, mailbox: str) -> Path:
        maildir = self._mail / mailbox.lower()
        for each in (maildir, maildir / "tmp", maildir / "new", maildir / "cur"):
            if not each.is_dir():
                each.mkdir()
                if os.geteuid() == 0:
                    os.chown(each, *self._owner)
        return maildir

    def _write_configuration(self, certificates: CertificateAuthority, issuers: Sequence[str]) -> None:
        users = ""
        if os.geteuid() != 0:
            me = pwd.getpwuid(os.geteuid()).pw_name
            group = grp.getgrgid(os.getegid()).gr_name
            users = f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {group}"
        uid, gid = self._owner
        configuration = _CONFIG.format(
            folder=self.folder,
            certificate=certificates.server_certificate,
            key=certificates.server_key,
            mail=self._mail,
            mail_uid=uid,
            mail_gid=gid,
            pop3=self.pop3_port,
            imap=self.imap_port,
            users=users,
            plain=" plain" if self._password else "",
            password=_SHARED_LOGIN.format(password=self._password) if self._password else "",
        )
        (self.folder / "dovecot.conf").write_text(configuration)
        self._write_token_checks(issuers)

    def trust(self, issuers: Sequence[str]) -> None:
        """Accept the tokens of these issuers from now on; restarts the server."""
        self.stop()
        self._write_token_checks(issuers)
        self.start()

    def _write_token_checks(self, issuers: Sequence[str]) -> None:
        for name, attribute in (("oauth2", "preferred_username"), ("oauth2-shared", "full_access")):
            checks = _OAUTH2.format(keys=self.keys, issuers=" ".join(issuers), attribute=attribute)
            (self.folder / f"{name}.conf.ext").write_text(checks)


def _owner() -> tuple[int, int]:
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    # Dovecot refuses to read mail as root.
    nobody = pwd.getpwnam("mail")
    return nobody.pw_uid, nobody.pw_gid


def _open_the_way(folder: Path) -> None:
    # Dovecot's processes run as users of their own, who must be able to walk down to the mail and the keys.
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if not mode & 0o001:
            each.chmod(mode | 0o011)
