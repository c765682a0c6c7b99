"""What the demo counts."""

from types import SimpleNamespace
from typing import Any

from devcloud import demo


class PollInTheMiddle:
    """A ticket store in which a poll commits a conversation right after every first read."""

    def __init__(self) -> None:
        self._committed: set[str] = set()

    def _read(self, mailbox: str) -> list[str]:
        seen = ["row"] if mailbox in self._committed else []
        self._committed.add(mailbox)
        return seen

    tickets = messages = _read


def test_a_poll_between_two_reads_never_shows_messages_without_their_tickets() -> None:
    engine: Any = SimpleNamespace(stores=SimpleNamespace(tickets=PollInTheMiddle()))
    early = demo.count(engine, mails=2)
    assert early.lost == 2
    assert early.messages <= early.tickets
    assert demo.count(engine, mails=2) == demo.Outcome(mails=2, tickets=2, messages=2)
