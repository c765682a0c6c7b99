"""The peers: mail fetchers that only write files, and django-helpdesk, which makes tickets as we do.

Each is given a fresh folder of its own, fetches a whole mailbox over TLS, and keeps the mails on the
server where it can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_HELPDESK = Path(__file__).parent / "helpdesk"
_BENCH_VENV = Path(os.environ.get("TICKET_ENGINE_BENCH_VENV", ".venv-bench"))
_LONGEST_SECONDS = 900


@dataclass(frozen=True)
class Account:
    """Where a peer fetches: a mailbox at a port of this machine, and the authority that its certificate comes from."""

    user: str
    password: str
    port: int
    authority: Path


@dataclass(frozen=True)
class Peer:
    """A program, the protocols that it is measured with, and how it is run; ``run`` returns the mails that it has.

    ``tickets`` says that it makes tickets; ``slow`` that it is measured with fewer mails.
    """

    name: str
    protocols: tuple[str, ...]
    run: Callable[[Account, str, Path], int]
    tickets: bool = False
    slow: bool = False


class PeerFailedError(RuntimeError):
    """A peer ended with an error; the message quotes what it said."""


def _call(command: list[str], environment: Mapping[str, str] | None = None, *, accept: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if done.returncode not in accept:
        raise PeerFailedError(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def _configuration(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def _maildir(folder: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (folder / "Maildir" / part).mkdir(parents=True)
    return folder / "Maildir"


def _files(maildir: Path) -> int:
    return sum(1 for part in ("new", "cur") for _ in (maildir / part).iterdir())


def _mpop(account: Account, protocol: str, folder: Path) -> int:
    del protocol
    maildir = _maildir(folder)
    text = f"""account default
host localhost
port {account.port}
tls on
tls_starttls off
tls_trust_file {account.authority}
auth user
user {account.user}
password {account.password}
keep on
uidls_file {folder}/uidls
delivery maildir {maildir}
"""
    _call(["mpop", f"--file={_configuration(folder, 'mpoprc', text)}", "--quiet"])
    return _files(maildir)


def _mbsync(account: Account, protocol: str, folder: Path) -> int:
    del protocol
    text = f"""IMAPAccount bench
Host localhost
Port {account.port}
User {account.user}
Pass {account.password}
SSLType IMAPS
AuthMechs PLAIN
CertificateFile {account.authority}

IMAPStore far
Account bench

MaildirStore near
Path {folder}/
Inbox {folder}/Maildir

Channel bench
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""
    _call(["mbsync", "--config", str(_configuration(folder, "mbsyncrc", text)), "--quiet", "bench"])
    return _files(folder / "Maildir")


def _fetchmail(account: Account, protocol: str, folder: Path) -> int:
    # Where no mail server runs, it delivers by an agent, a process a mail; the cheapest agent there is.
    unique = " uidl" if protocol == "POP3" else ""
    text = f"""poll localhost service {account.port} protocol {protocol}{unique}
  user "{account.user}" there with password "{account.password}"
  options ssl sslcertck sslcertfile {account.authority} keep fetchall no rewrite mda "cat >> {folder}/mails"
"""
    configuration = _configuration(folder, "fetchmailrc", text)
    home = {"FETCHMAILHOME": str(folder), "HOME": str(folder)}
    _call(["fetchmail", "--nodetach", "--silent", "-f", str(configuration), "-i", str(folder / "ids")], home)
    return (folder / "mails").read_bytes().count(b"\nMessage-ID: <")


def _getmail(account: Account, protocol: str, folder: Path) -> int:
    maildir = _maildir(folder)
    text = f"""[retriever]
type = Simple{protocol}SSLRetriever
server = localhost
port = {account.port}
username = {account.user}
password = {account.password}
ca_certs = {account.authority}

[destination]
type = Maildir
path = {maildir}/
{_not_as_root(folder)}

[options]
read_all = true
delete = false
verbose = 0
"""
    _call(["getmail", "--getmaildir", str(folder), "--rcfile", str(_configuration(folder, "getmailrc", text))])
    return _files(maildir)


def _not_as_root(folder: Path) -> str:
    """Getmail delivers as another user where root runs it; the folder is given to that user."""
    if os.geteuid() != 0:
        return ""
    folder.chmod(0o711)
    for each in (folder / "Maildir", *(folder / "Maildir").iterdir()):
        shutil.chown(each, "mail", "mail")
    return "user = mail"


def _helpdesk(account: Account, protocol: str, folder: Path) -> int:
    python = str(_BENCH_VENV.absolute() / "bin" / "python")
    environment = {
        "BENCH_FOLDER": str(folder),
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": str(_HELPDESK),
    }
    if not (folder / "helpdesk.sqlite3").exists():
        shutil.copy(_migrated(python, environment, folder), folder / "helpdesk.sqlite3")
    fetch = [python, str(_HELPDESK / "fetch.py"), protocol.lower(), str(account.port), account.user, account.password]
    tickets, follow_ups = map(int, _call(fetch, environment).split())
    return max(tickets, follow_ups)


def _migrated(python: str, environment: Mapping[str, str], folder: Path) -> Path:
    """An empty database, made once a run: a site makes it once in its life."""
    made = folder.parent / "helpdesk-empty.sqlite3"
    if not made.exists():
        _call([python, "-m", "django", "migrate", "--verbosity", "0"], environment)
        (folder / "helpdesk.sqlite3").rename(made)
    return made


PEERS = (
    Peer("mpop", ("POP3",), _mpop),
    Peer("mbsync", ("IMAP",), _mbsync),
    Peer("fetchmail", ("POP3", "IMAP"), _fetchmail),
    Peer("getmail6", ("POP3", "IMAP"), _getmail),
    Peer("django-helpdesk", ("POP3", "IMAP"), _helpdesk, tickets=True, slow=True),
)


def missing() -> list[str]:
    """The commands that are not installed yet; ``script/bench`` installs them."""
    programs = {"mpop": "mpop", "mbsync": "isync", "fetchmail": "fetchmail", "getmail": "getmail6"}
    absent = [package for program, package in programs.items() if shutil.which(program) is None]
    return absent if _BENCH_VENV.exists() else [*absent, "django-helpdesk"]
