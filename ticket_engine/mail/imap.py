"""An IMAP session over TLS (RFC 3501, RFC 6851, RFC 4315) with XOAUTH2, on IMAPClient."""

from __future__ import annotations

import contextlib
import imaplib
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from imapclient import IMAPClient
from imapclient.response_parser import parse_fetch_response

from ticket_engine.mail import answers, sasl, tls
from ticket_engine.mail.source import Fetched, Item, Position
from ticket_engine.records import AfterIngest

if TYPE_CHECKING:
    from types import TracebackType

    from ticket_engine.records import Mailbox

_log = logging.getLogger("ticket_engine.mail")

# Logins at Exchange Online take seconds; a server that is silent for this long is gone.
TIMEOUT = 60.0
# Mails a FETCH: Exchange Online answers larger sets slowly, smaller ones cost a round trip each.
FETCH_SET = 50
_SETTLE_SET = 200
# The largest UID (RFC 3501, section 9: a 32-bit number).
_LAST_UID = 2**32 - 1
_BODY = b"BODY[]"
# A NO or BAD; and, though it is one of the former's classes, a session that broke.
_Refused = imaplib.IMAP4.error
_Broken = imaplib.IMAP4.abort


class ImapSource:
    """A logged-in IMAP session with one folder open; see MailSource. An item's id is UIDVALIDITY and UID."""

    settles_at_end = False
    renumbers = False

    def __init__(self, mailbox: Mailbox, client: Any, folder: dict[bytes, Any]) -> None:
        self._mailbox = mailbox
        self._client = client
        self.validity = int(folder[b"UIDVALIDITY"])
        self._next = int(folder.get(b"UIDNEXT", 0))
        self._count = int(folder[b"EXISTS"])

    @classmethod
    def open(cls, mailbox: Mailbox, access_token: str) -> Self:
        """Connect, log in, and open the folder; read-only where ingested mails are kept as they are.

        Raises:
            MailLoginError: the server refused the login.
            MailServerError: the server can't be reached, broke off, or does not open the folder.
        """
        try:
            client = IMAPClient(mailbox.host, mailbox.port, ssl_context=tls.context(), timeout=TIMEOUT, use_uid=True)
        except OSError as error:
            raise answers.unreachable(mailbox, error) from error
        except _Refused as error:
            raise answers.broken_off(mailbox, str(error)) from error
        # The library would write every line to its log, tokens included.
        client._imap.debug = 0  # noqa: SLF001
        try:
            _log_in(client, mailbox, access_token)
            return cls(mailbox, client, _opened(client, mailbox))
        except BaseException:
            _drop(client)
            raise

    def __enter__(self) -> Self:
        """Use the session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drop the connection; what was done is done."""
        _drop(self._client)

    def finish(self) -> None:
        """LOGOUT. Everything is final before it, so a server that goes without a word is no failure."""
        with contextlib.suppress(Exception):
            self._client.logout()

    def count(self) -> int:
        """How many mails the folder held when it was opened."""
        return self._count

    def items(self, position: Position | None = None) -> list[Item]:
        """The folder's mails with their sizes; past the position where it has this folder's UIDVALIDITY."""
        known = position if position is not None and position.validity == self.validity else None
        first = known.last + 1 if known else 1
        wanted = [str(uid) for uid in known.open] if known else []
        if self._next == 0 or first < self._next:
            # The star is the largest UID there is, even below the first; so the upper end is written out.
            wanted.append(f"{first}:{_LAST_UID}")
        if not wanted or not self._count:
            return []
        asked = ["RFC822.SIZE"] if known else ["RFC822.SIZE", "INTERNALDATE"]
        with self._broken_off():
            listed = self._fetched(",".join(wanted), asked)
        return [
            Item(self._id(uid), uid, int(values.get(b"RFC822.SIZE", 0)), _utc(values.get(b"INTERNALDATE")))
            for uid, values in sorted(listed.items())
        ]

    def fetch(self, items: Sequence[Item]) -> Iterator[Fetched]:
        """FETCH the mails in sets, without marking them read."""
        # A UID of another UIDVALIDITY would be another mail: then this one can't be had any more.
        stale = [item for item in items if item.id != self._id(item.number)]
        yield from (_answered(item, {}) for item in stale)
        items = [item for item in items if item not in stale] if stale else items
        for start in range(0, len(items), FETCH_SET):
            part = items[start : start + FETCH_SET]
            with self._broken_off():
                try:
                    found = self._bodies(part)
                except _Broken:
                    raise
                except _Refused as error:
                    # One mail that the server can't give takes its whole set down, so each is asked for alone.
                    self._raise_if_not_its_own(error)
                    found = {}
                    several = [self._alone(item) for item in part]
                else:
                    several = [_answered(item, found) for item in part]
            yield from several

    def headers(self, item: Item) -> bytes:
        """A mail's header section."""
        with self._broken_off():
            found = self._fetched(str(item.number), ["BODY.PEEK[HEADER]"])
        return bytes(found.get(item.number, {}).get(b"BODY[HEADER]") or b"")

    def settle(self, items: Sequence[Item], after: AfterIngest) -> None:
        """Mark as read, move or delete; a UID that is gone is passed over by the server."""
        actions: dict[AfterIngest, Callable[[list[int]], None]] = {
            AfterIngest.MARK_READ: lambda uids: self._client.add_flags(uids, [b"\\Seen"], silent=True),
            AfterIngest.MOVE: self._move,
            AfterIngest.DELETE: self._delete,
        }
        action = actions.get(after)
        if action is None:
            return
        # A UID of another UIDVALIDITY would be another mail.
        mine = [item.number for item in items if item.id == self._id(item.number)]
        for start in range(0, len(mine), _SETTLE_SET):
            uids = mine[start : start + _SETTLE_SET]
            with self._broken_off():
                try:
                    action(uids)
                except _Broken:
                    raise
                except _Refused as error:
                    raise answers.not_settled(self._mailbox, str(error)) from error

    def _move(self, uids: list[int]) -> None:
        folder = self._mailbox.move_to
        move = self._client.move if self._client.has_capability("MOVE") else self._copy_and_delete
        try:
            move(uids, folder)
        except _Broken:
            raise
        except _Refused:
            if self._client.folder_exists(folder):
                raise
            self._client.create_folder(folder)
            move(uids, folder)

    def _copy_and_delete(self, uids: list[int], folder: str) -> None:
        self._client.copy(uids, folder)
        self._delete(uids)

    def _delete(self, uids: list[int]) -> None:
        self._client.add_flags(uids, [b"\\Deleted"], silent=True)
        # A plain EXPUNGE would also remove what a person has marked; without UIDPLUS the mark must do.
        if self._client.has_capability("UIDPLUS"):
            self._client.uid_expunge(uids)

    def _id(self, uid: int) -> str:
        return f"{self.validity}-{uid}"

    def _bodies(self, items: Sequence[Item]) -> dict[int, dict[bytes, Any]]:
        return self._fetched(",".join(str(item.number) for item in items), ["BODY.PEEK[]"])

    def _alone(self, item: Item) -> Fetched:
        try:
            return _answered(item, self._bodies([item]))
        except _Broken:
            raise
        except _Refused as error:
            self._raise_if_not_its_own(error)
            return Fetched(item, None, str(error))

    def _fetched(self, uids: str, what: Sequence[str]) -> dict[int, dict[bytes, Any]]:
        # IMAPClient.fetch takes only numbers, which would be 50,000 of them here; its parser reads the answer.
        imap = self._client._imap  # noqa: SLF001
        kind, data = imap.uid("FETCH", uids, f"({' '.join(what)})")
        if kind != "OK":
            raise imap.error(_text(data))
        return dict(parse_fetch_response(data, normalise_times=False, uid_is_key=True))

    def _raise_if_not_its_own(self, error: Exception) -> None:
        if answers.of_the_session(str(error)):
            raise answers.broken_off(self._mailbox, str(error)) from error

    @contextlib.contextmanager
    def _broken_off(self) -> Iterator[None]:
        try:
            yield
        except (OSError, _Refused) as error:
            raise answers.broken_off(self._mailbox, str(error)) from error


def _answered(item: Item, found: dict[int, dict[bytes, Any]]) -> Fetched:
    values = found.get(item.number)
    if values is None or _BODY not in values:
        gone = values is None
        return Fetched(item, None, "the server has no such mail any more" if gone else "the server gave no body", gone)
    return Fetched(item, values[_BODY] or b"")


def _log_in(client: Any, mailbox: Mailbox, access_token: str) -> None:
    try:
        _authenticate(client, sasl.xoauth2(mailbox.username, access_token))
    except _Broken as error:
        raise answers.broken_off(mailbox, str(error)) from error
    except _Refused as error:
        _log.warning("login refused, the server said: %s", error, extra={"mailbox": mailbox.id})
        raise answers.refused_login(mailbox, str(error)) from None
    except OSError as error:
        raise answers.broken_off(mailbox, str(error)) from error


def _authenticate(client: Any, blob: bytes) -> None:
    """AUTHENTICATE with the blob in the command (SASL-IR, RFC 4959) where announced.

    imaplib can't send it there, and answers an error challenge with the token again instead of an empty line.
    """
    imap = client._imap  # noqa: SLF001
    at_once = client.has_capability("SASL-IR")
    tag = imap._command("AUTHENTICATE", b"XOAUTH2 " + blob if at_once else "XOAUTH2")  # noqa: SLF001
    replies = iter([] if at_once else [blob])
    while imap.tagged_commands[tag] is None:
        if imap._get_response() is None:  # noqa: SLF001 - None is a continuation request
            imap.send(next(replies, b"") + b"\r\n")
    kind, data = imap._command_complete("AUTHENTICATE", tag)  # noqa: SLF001
    if kind != "OK":
        raise imap.error(_text(data))
    imap.state = "AUTH"
    # What the server announced before the login is not what it can do after it.
    client._cached_capabilities = None  # noqa: SLF001


def _opened(client: Any, mailbox: Mailbox) -> dict[bytes, Any]:
    try:
        return dict(client.select_folder(mailbox.folder, readonly=mailbox.after_ingest is AfterIngest.KEEP))
    except _Broken as error:
        raise answers.broken_off(mailbox, str(error)) from error
    except _Refused as error:
        text = str(error)
        if answers.throttled(text) or answers.token_expired(text) or "not connected" in text.lower():
            # Exchange Online takes a login with another account's token, and only here says so.
            raise answers.refused_login(mailbox, text) from error
        names = sorted(str(name) for _, _, name in client.list_folders())
        raise answers.no_such_folder(mailbox, mailbox.folder, names) from error
    except OSError as error:
        raise answers.broken_off(mailbox, str(error)) from error


def _drop(client: Any) -> None:
    with contextlib.suppress(Exception):
        client.shutdown()


def _text(data: Sequence[Any]) -> str:
    return " ".join(part.decode("utf-8", "replace") for part in data if isinstance(part, bytes))


def _utc(value: Any) -> datetime | None:
    return value.astimezone(UTC) if isinstance(value, datetime) else None
