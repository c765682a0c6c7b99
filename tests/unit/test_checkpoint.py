"""What a mailbox's checkpoint knows, for POP3 and for IMAP."""

from datetime import UTC, datetime, timedelta

import pytest

from ticket_engine.errors import TicketEngineError
from ticket_engine.intake.checkpoint import MOST_UIDLS, UidCheckpoint, UidlCheckpoint, decode
from ticket_engine.intake.trouble import MAX_COUNTED, MAX_TRIES, Troubles
from ticket_engine.mail import Item, Position
from ticket_engine.records import MailboxType

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def uidls(count: int) -> list[Item]:
    return [Item(f"uidl-{n}", n, 100) for n in range(1, count + 1)]


def uids(*numbers: int, validity: int = 7) -> list[Item]:
    return [Item(f"{validity}-{n}", n, 100) for n in numbers]


def numbers(items: list[Item]) -> list[int]:
    return [item.number for item in items]


def test_pop3_knows_what_is_done_in_whatever_order_the_server_lists() -> None:
    listed = uidls(5)
    position = UidlCheckpoint().after(listed[:3], listed[:3], listed[:2])
    again = decode(position.encode(), MailboxType.POP3)
    assert again == position
    renumbered = [Item(each.id, 6 - each.number, 1) for each in reversed(listed)]
    assert [each.id for each in again.new(renumbered)] == ["uidl-5", "uidl-4"]
    assert [each.id for each in again.pending(renumbered)] == ["uidl-2", "uidl-1"]


def test_pop3_forgets_what_has_left_the_server() -> None:
    listed = uidls(5)
    position = UidlCheckpoint().after(listed, listed, listed[:2]).seen(listed[4:], 0)
    assert len(position.done) == 1
    assert not position.unsettled


def test_pop3_starts_anew_when_every_uidl_has_changed() -> None:
    position = UidlCheckpoint().after(uidls(3), uidls(3), ())
    assert not position.seen(uidls(4), 0).fresh
    assert not position.seen([], 0).fresh
    changed = position.seen([Item("other-1", 1, 100)], 0)
    assert changed.fresh
    assert len(changed.new([Item("other-1", 1, 100)])) == 1


def test_pop3_refuses_to_remember_more_than_a_row_holds_and_says_what_to_do() -> None:
    listed = uidls(MOST_UIDLS + 1)
    position = UidlCheckpoint().after(listed, listed, ())
    with pytest.raises(TicketEngineError, match="read it over IMAP"):
        position.encode()


def test_imap_goes_on_past_the_last_uid_and_comes_back_to_what_is_open() -> None:
    page = uids(3, 4, 9)
    position = UidCheckpoint().seen(page, 7).after(page, uids(3, 9), uids(9))
    again = decode(position.encode(), MailboxType.IMAP)
    assert again == position
    assert again.position == Position(7, 9, (4,))
    assert numbers(again.new(uids(3, 4, 9, 12))) == [4, 12]
    assert numbers(again.pending([])) == [9]
    assert again.settled(uids(9)).pending([]) == []


def test_imap_forgets_an_open_mail_that_has_left_the_folder() -> None:
    position = UidCheckpoint().seen(uids(1), 7).after(uids(1, 2), uids(2), ())
    assert position.seen(uids(5), 7).position == Position(7, 2, ())


def test_an_empty_folder_is_known_too() -> None:
    position = decode(UidCheckpoint().seen([], 7).encode(), MailboxType.IMAP)
    assert not position.seen([], 7).fresh
    assert position.position == Position(7, 0, ())


def test_another_uidvalidity_starts_anew() -> None:
    position = UidCheckpoint().seen(uids(1), 7).after(uids(1, 2), uids(1, 2), uids(1))
    changed = position.seen(uids(1, 2, validity=8), 8)
    assert changed.fresh
    assert numbers(changed.new(uids(1, 2, validity=8))) == [1, 2]
    assert changed.pending([]) == []


def test_the_other_protocols_checkpoint_says_nothing() -> None:
    pop3 = UidlCheckpoint().after(uidls(2), uidls(2), ())
    imap = UidCheckpoint().seen(uids(1), 7).after(uids(1), uids(1), ())
    assert decode(pop3.encode(), MailboxType.IMAP).fresh
    assert decode(imap.encode(), MailboxType.POP3).fresh


def test_a_quarantined_mail_can_be_opened_again() -> None:
    listed = uidls(2)
    assert UidlCheckpoint().after(listed, listed, ()).reopened("uidl-1").new(listed) == listed[:1]
    position = UidCheckpoint().seen(uids(1), 7).after(uids(1, 2), uids(1, 2), ())
    assert numbers(position.reopened("7-1").new(uids(1, 2))) == [1]
    assert position.reopened("8-1") == position, "a mail of another UIDVALIDITY is not the one with this UID"


def test_a_checkpoint_of_another_release_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="does not know a checkpoint"):
        decode(b"Z9whatever", MailboxType.POP3)


def test_a_mail_is_hopeless_after_so_many_tries_and_its_first_one_is_remembered() -> None:
    troubles = Troubles()
    for n in range(MAX_TRIES - 1):
        assert not troubles.failed("uidl-1", "refused", NOW + timedelta(minutes=n)).hopeless
        troubles = Troubles.decode(troubles.encode())
    last = troubles.failed("uidl-1", "refused", NOW + timedelta(hours=1))
    assert last.hopeless
    assert last.first_at == NOW
    troubles.over("uidl-1")
    assert troubles.encode() == ""


def test_more_mails_in_trouble_than_can_be_counted_are_still_tried() -> None:
    troubles = Troubles()
    for n in range(MAX_COUNTED + 10):
        troubles.failed(f"uidl-{n}", "x" * 1_000, NOW)
    assert len(troubles.encode()) < 32_000
    assert not troubles.failed(f"uidl-{MAX_COUNTED + 5}", "refused", NOW).hopeless
