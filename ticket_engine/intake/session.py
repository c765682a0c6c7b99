"""A mail session that outlives its connection: it takes a new access token, reconnects, and goes on where it was."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self, TypeVar

from ticket_engine.errors import MailServerError
from ticket_engine.mail import Fetched, Item, MailSource, Position
from ticket_engine.telemetry import traced

if TYPE_CHECKING:
    from types import TracebackType

    from ticket_engine.oauth.tokens import TokenBroker
    from ticket_engine.records import Mailbox

Result = TypeVar("Result")

_log = logging.getLogger("ticket_engine.intake")

# After a break, this many mails are fetched one by one, so that one which breaks the session is known by name.
_ALONE = 50
# Breaks of one poll; a server that breaks more often than this needs rest.
_MOST_BREAKS = 12
_EXPIRED = "access-token-expired"
_MENDED = {_EXPIRED, "mail-session-broken"}


class Session:
    """One poll's session with one mailbox; a context manager."""

    def __init__(self, mailbox: Mailbox, broker: TokenBroker, log_in: Callable[[Mailbox, str], MailSource]) -> None:
        self._mailbox = mailbox
        self._broker = broker
        self._log_in = log_in
        self._source: MailSource | None = None
        self._position: Position | None = None
        self._numbers: dict[str, Item] | None = None
        self._settling: list[Item] = []
        self._breaks = 0

    def __enter__(self) -> Self:
        """Log in.

        Raises:
            TokenError: there is no access token.
            MailServerError: the server can't be reached, or refused.
        """
        try:
            self._source = self._logged_in()
        except MailServerError as error:
            if error.reaction.code != _EXPIRED:
                raise
            # A token that the server counts as ended although the clock here does not.
            self._broker.forget(self._mailbox)
            self._source = self._logged_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drop the connection."""
        self._drop()

    def count(self) -> int:
        """How many mails the mailbox held at the login."""
        return self._open.count()

    @property
    def validity(self) -> int:
        """What the items' ids are valid under."""
        return self._open.validity

    @traced("list")
    def items(self, position: Position | None) -> list[Item]:
        """The mails that the server lists, past the position where it can."""
        self._position = position
        return self._persistently(lambda source: source.items(position))

    def fetch(self, items: Sequence[Item], keep_on: Callable[[], bool] = lambda: True) -> Iterator[Fetched]:
        """Each mail, or why there is none; a mail that breaks the session twice is passed over with that problem.

        ``keep_on`` is asked after each break; when it says no, the mails that are left are not tried.

        Raises:
            MailServerError: the server asked to slow down, can't be reached again, or broke off too often.
        """
        waiting = deque(items)
        alone = 0
        while waiting:
            suspected = alone > 0
            alone = max(0, alone - 1)
            try:
                for fetched in self._open.fetch([waiting[0]] if suspected else list(waiting)):
                    waiting.popleft()
                    yield fetched
            except MailServerError as error:
                self._reconnect(error)
                if suspected:
                    yield Fetched(waiting.popleft(), None, error.reaction.sentence)
                if error.reaction.code != _EXPIRED:
                    alone = _ALONE
                if not keep_on():
                    return
                gone, waiting = self._parted(waiting)
                yield from gone

    def _parted(self, items: Iterable[Item]) -> tuple[list[Fetched], deque[Item]]:
        """After a reconnection: the mails that have left the server, and the others as it numbers them now."""
        there = [(item, self._here(item)) for item in items]
        gone = [Fetched(item, None, "the server lists it no more", gone=True) for item, here in there if here is None]
        return gone, deque(here for _, here in there if here is not None)

    def headers(self, item: Item) -> Fetched:
        """A mail's header section, or why there is none."""
        try:
            here = self._here(item)
            if here is None:
                return Fetched(item, None, "the server lists it no more", gone=True)
            return Fetched(item, self._persistently(lambda source: source.headers(self._here(item) or here)))
        except MailServerError as error:
            self._reconnect(error)
            return Fetched(item, None, error.reaction.sentence)

    @traced("settle")
    def settle(self, items: Sequence[Item]) -> list[Item]:
        """Settle ingested mails on the server; returns those for which that is final now."""
        here = [each for each in (self._here(item) for item in items) if each is not None]
        if here:
            self._persistently(lambda source: source.settle(here, self._mailbox.after_ingest))
        if self._open.settles_at_end:
            self._settling += items
            return []
        return list(items)

    def finish(self) -> list[Item]:
        """End the session cleanly; returns the mails whose settling that made final."""
        self._open.finish()
        return self._settling

    @property
    def _open(self) -> MailSource:
        if self._source is None:
            raise RuntimeError("the session is not open")
        return self._source

    def _here(self, item: Item) -> Item | None:
        return item if self._numbers is None else self._numbers.get(item.id)

    def _persistently(self, call: Callable[[MailSource], Result]) -> Result:
        try:
            return call(self._open)
        except MailServerError as error:
            self._reconnect(error)
            return call(self._open)

    def _logged_in(self) -> MailSource:
        return self._log_in(self._mailbox, self._broker.access_token(self._mailbox))

    def _reconnect(self, error: MailServerError) -> None:
        """Log in again after a break, with a new token where the old one had ended; raises what can't be mended."""
        self._breaks += 1
        if error.reaction.code not in _MENDED or self._breaks > _MOST_BREAKS:
            raise error
        _log.info("reconnecting: %s", error, extra={"mailbox": self._mailbox.id})
        if error.reaction.code == _EXPIRED:
            self._broker.forget(self._mailbox)
        self._drop()
        # What was not final in the lost session never happened.
        self._settling = []
        self._source = self._logged_in()
        if self._source.renumbers:
            self._numbers = {item.id: item for item in self._source.items(self._position)}

    def _drop(self) -> None:
        if self._source is not None:
            self._source.__exit__(None, None, None)
            self._source = None
