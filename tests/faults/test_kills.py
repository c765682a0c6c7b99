"""A worker that dies before or after any of its I/O calls, and the next poll: each mail exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from imapclient import IMAPClient

from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine
from ticket_engine.tickets import TicketFilter

Desks = Callable[..., Any]
Mail = Callable[..., bytes]

DIED = 9
MODES: dict[str, dict[str, str]] = {
    "POP3 keep": {"type": "POP3 - OAuth"},
    "POP3 delete": {"type": "POP3 - OAuth", "after_ingest": "delete"},
    "IMAP keep": {"type": "IMAP - OAuth"},
    "IMAP move": {"type": "IMAP - OAuth", "after_ingest": "move", "move_to": "Done"},
}
# What changes something outside the process; the quick tier dies only around these.
CHANGES = ("table PUT MailboxStates #2", "table POST $batch #2", "imap UID MOVE #2", "pop3 DELE #2")


class Scene:
    """Mailboxes of one mode, each with the same mails, and what must be true of each in the end."""

    def __init__(self, new_desk: Desks, cloud: DevCloud, mail: Mail, mode: str) -> None:
        self._new_desk = new_desk
        self._cloud = cloud
        self.mode = mode
        answer = {"References": "<request-1@fabrikam.example>"}
        # Two pages of three; the second one's first mail joins a ticket of the first one.
        self.mails = [mail(0), mail(1), mail(2), mail(3, **answer), mail(4)]

    def desk(self) -> Any:
        """A connected mailbox with the mails."""
        values = MODES[self.mode]
        port = self._cloud.mail.imap_port if values["type"].startswith("IMAP") else self._cloud.mail.pop3_port
        desk = self._new_desk(port=port, **values)
        desk.connect()
        desk.deliver(*self.mails)
        return desk

    def recover(self, desk: Any) -> None:
        """What happens next: the dead worker's lease ends, and another worker polls, twice."""
        clock = self._cloud.clock
        other = Engine(desk.engine.settings, lambda: clock() + timedelta(minutes=30))
        for _ in range(2):
            result = desk.poll(by=other)
            assert result.failure is None, result.failure
            assert not result.skipped

    def problems(self, desk: Any) -> list[str]:
        """What is wrong with the mailbox; empty when each mail is there exactly once, everywhere."""
        found = []
        messages, tickets = desk.messages(), desk.tickets()
        stored = Counter(desk.engine.stores.archive.read(each.archive, each.entry) for each in messages)
        if stored != Counter(self.mails):
            found.append(f"{len(messages)} messages of {len(self.mails)} mails")
        if Counter(key for ticket in tickets for key in ticket.message_keys) != Counter(each.key for each in messages):
            found.append("the tickets' lists of their messages")
        if len(tickets) != len(self.mails) - 1:
            found.append(f"{len(tickets)} tickets")
        page = desk.engine.ticket_list.page(TicketFilter(mailbox=desk.id))
        if sorted(each.id for each in page.tickets) != sorted(each.id for each in tickets):
            found.append("the index of tickets")
        if not self._server_is_right(desk):
            found.append("the mails on the server")
        return found

    def _server_is_right(self, desk: Any) -> bool:
        left = Counter(self._cloud.mail.messages(desk.address))
        if self.mode == "IMAP move":
            with IMAPClient("localhost", desk.mailbox.port, ssl_context=self._cloud.certificates.context()) as client:
                client.oauth2_login(desk.address, desk.engine.broker.access_token(desk.mailbox))
                client.select_folder("Done")
                return not left and len(client.search()) == len(self.mails)
        return left == (Counter() if self.mode == "POP3 delete" else Counter(self.mails))


@pytest.fixture
def scene_of(new_desk: Desks, cloud: DevCloud, mail: Mail) -> Callable[[str], Scene]:
    """Makes the scene of a mode."""
    return lambda mode: Scene(new_desk, cloud, mail, mode)


def survived(scene: Scene, victim: Any, point: str, when: str) -> list[str]:
    """Kill one poll at this point, poll again; what is wrong then."""
    desk = scene.desk()
    died = victim.poll(desk.id, point, when)
    assert died["code"] == DIED, f"{point} was not reached: {died}"
    scene.recover(desk)
    return scene.problems(desk)


def matrix(scene: Scene, victim: Any, wanted: Callable[[str], bool], record: Callable[[str, object], None]) -> None:
    """Kill a poll before and after each of these points, and say of every cell how it ended."""
    desk = scene.desk()
    whole = victim.poll(desk.id)
    assert whole["code"] == 0
    assert scene.problems(desk) == []
    points = [point for point in whole["points"] if wanted(point)]
    assert points
    cells = {
        f"{when} {point}": survived(scene, victim, point, when) for point in points for when in ("before", "after")
    }
    record(f"matrix {scene.mode}", {cell: ", ".join(wrong) or "yes" for cell, wrong in cells.items()})
    assert {cell: wrong for cell, wrong in cells.items() if wrong} == {}


@pytest.mark.parametrize("mode", ["POP3 delete", "IMAP move"])
def test_a_worker_that_dies_around_a_change_loses_and_doubles_nothing(
    mode: str, scene_of: Callable[[str], Scene], victim: Any, record_property: Callable[[str, object], None]
) -> None:
    matrix(scene_of(mode), victim, CHANGES.__contains__, record_property)


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("mode", MODES)
def test_a_worker_that_dies_at_any_step_loses_and_doubles_nothing(
    mode: str, scene_of: Callable[[str], Scene], victim: Any, record_property: Callable[[str, object], None]
) -> None:
    matrix(scene_of(mode), victim, lambda _: True, record_property)
