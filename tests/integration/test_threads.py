"""Which ticket a mail joins, on the shapes that mail programs write, polled from a real mail server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from ticket_engine.intake import thread
from ticket_engine.intake.thread import ticket_code
from ticket_engine.records import EventKind, Ticket, TicketState

Mail = Callable[..., bytes]
CUSTOMER = "Ada <ada@fabrikam.example>"
ADMIN = "Lead <lead@contoso.example>"
STRANGER = "Eve <eve@elsewhere.example>"


def opened(desk: Any, raw: bytes) -> Ticket:
    """Poll a first mail; its ticket."""
    before = {each.id for each in desk.tickets()}
    desk.deliver(raw)
    desk.poll()
    fresh: list[Ticket] = [each for each in desk.tickets() if each.id not in before]
    assert len(fresh) == 1
    return fresh[0]


def close(desk: Any, ticket: Ticket, state: TicketState = TicketState.CLOSED) -> None:
    desk.engine.stores.tickets._rows.put(replace(ticket, state=state), desk.id, f"T{ticket.id}")


def now(desk: Any, ticket: Ticket) -> Ticket:
    found: Ticket = desk.engine.stores.tickets.ticket(desk.id, ticket.id).record
    return found


def outlook(number: int, parent: str, references: str = "", **more: str) -> dict[str, str]:
    """Outlook's and Exchange's: the Thread-Index, every parent in References, its own Message-ID domain."""
    return {
        "Message_ID": f"<AM0PR0{number}MB1234E5F6@AM0PR0{number}MB1234.eurprd05.prod.outlook.com>",
        "In_Reply_To": parent,
        "References": references or parent,
        "Thread_Index": "AQHbPabcdefghijklmnopqrstuvwxyz0123A",
        "Thread_Topic": "Printer",
        **more,
    }


@pytest.mark.parametrize(
    "headers",
    [
        outlook(1, "<request-1@fabrikam.example>"),
        {
            "Message_ID": "<CAF=abcDEF123@mail.gmail.com>",
            "In_Reply_To": "<request-1@fabrikam.example>",
            "References": "<other@x.example> <request-1@fabrikam.example>",
        },
        # Apple Mail folds References over lines and may leave out In-Reply-To on a redirected answer.
        {"References": "<root@x.example>\r\n <request-1@fabrikam.example>", "X_Mailer": "Apple Mail (2.3776.700.51)"},
        # Lotus Notes and others put a phrase beside the id.
        {"In_Reply_To": 'Your message of Monday <request-1@fabrikam.example> "Request"'},
        # A program that writes the whole chain, the root first, and a parent that never came here.
        {"In_Reply_To": "<lost@x.example>", "References": "<request-1@fabrikam.example> <lost@x.example>"},
    ],
    ids=["outlook", "gmail", "apple-mail", "phrase", "parent-missing"],
)
def test_an_answer_joins_the_ticket_of_the_mail_that_it_answers(desk: Any, mail: Mail, headers: dict[str, str]) -> None:
    ticket = opened(desk, mail(1))
    desk.deliver(mail(2, subject="Entirely different", From=STRANGER, **headers))
    desk.poll()
    assert [(each.id, each.messages) for each in desk.tickets()] == [(ticket.id, 2)]


def test_an_answer_that_the_server_lists_before_its_parent_joins_it(desk: Any, mail: Mail) -> None:
    desk.deliver(mail(2, In_Reply_To="<request-1@fabrikam.example>"), mail(1))
    desk.poll()
    assert [each.messages for each in desk.tickets()] == [2]


def test_the_same_subject_alone_makes_two_tickets(desk: Any, mail: Mail) -> None:
    opened(desk, mail(1, subject="Printer"))
    opened(desk, mail(2, subject="Re: Printer"))
    assert len(desk.tickets()) == 2


@pytest.mark.parametrize(
    ("sender", "joins"),
    [
        (CUSTOMER, True),
        ("ADA@Fabrikam.example", True),
        (ADMIN, True),
        ("Carol <carol@fabrikam.example>", True),
        (STRANGER, False),
        ('"ada@fabrikam.example" <eve@elsewhere.example>', False),
        ("ada@fabrikam.example, eve@elsewhere.example", False),
        ("", False),
    ],
    ids=["sender", "sender-in-capitals", "admin", "recipient", "stranger", "display-name", "two-senders", "nobody"],
)
def test_a_phone_that_drops_references_joins_by_the_code_if_its_owner_takes_part(
    desk: Any, mail: Mail, sender: str, *, joins: bool
) -> None:
    ticket = opened(desk, mail(1, Cc="Carol <carol@fabrikam.example>"))
    desk.deliver(mail(2, subject=f"RE: [#{ticket.id.lower()}] Printer", From=sender))
    desk.poll()
    assert len(desk.tickets()) == (1 if joins else 2)
    assert now(desk, ticket).messages == (2 if joins else 1)


def test_nobody_takes_a_ticket_as_the_mailbox_itself(desk: Any, mail: Mail) -> None:
    ticket = opened(desk, mail(1, To=desk.address))
    desk.deliver(mail(2, subject=f"{ticket_code(ticket.id)}", From=desk.address))
    desk.poll()
    assert now(desk, ticket).messages == 1


@pytest.mark.parametrize("verdict", ["dmarc=fail action=oreject", "compauth=fail reason=000"])
def test_a_code_from_a_sender_that_exchange_calls_forged_opens_a_ticket_of_its_own(
    desk: Any, mail: Mail, verdict: str
) -> None:
    ticket = opened(desk, mail(1))
    result = f"spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=fabrikam.example; {verdict}"
    desk.deliver(mail(2, subject=ticket_code(ticket.id), Authentication_Results=result))
    desk.poll()
    assert now(desk, ticket).messages == 1
    assert len(desk.tickets()) == 2


def test_a_code_of_another_mailbox_leads_nowhere(new_desk: Callable[..., Any], mail: Mail) -> None:
    desk, other = new_desk(), new_desk()
    desk.connect()
    other.connect()
    ticket = opened(desk, mail(1))
    other.deliver(mail(2, subject=ticket_code(ticket.id)))
    other.poll()
    assert len(other.tickets()) == 1
    assert now(desk, ticket).messages == 1


def test_an_answer_to_a_notification_joins_its_ticket_if_the_sender_takes_part(desk: Any, mail: Mail) -> None:
    ticket = opened(desk, mail(1))
    notification = f"<ticket.{ticket.id}.0123456789abcdef@contoso.example>"
    desk.deliver(mail(2, From=ADMIN, In_Reply_To=notification), mail(3, From=STRANGER, In_Reply_To=notification))
    desk.poll()
    assert now(desk, ticket).messages == 2
    assert len(desk.tickets()) == 2


def test_a_forwarded_ticket_mail_joins_by_its_references_and_not_by_a_strangers_code(desk: Any, mail: Mail) -> None:
    ticket = opened(desk, mail(1))
    forwarded = mail(2, subject="FW: Request 1", From=STRANGER, References="<request-1@fabrikam.example>")
    by_code = mail(3, subject=f"FW: {ticket_code(ticket.id)}", From=STRANGER)
    desk.deliver(forwarded, by_code)
    desk.poll()
    assert now(desk, ticket).messages == 2
    assert len(desk.tickets()) == 2


def test_a_mail_forwarded_as_an_attachment_is_a_ticket_of_its_own(desk: Any, mail: Mail) -> None:
    opened(desk, mail(1))
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = STRANGER, desk.address, "Please look"
    outer["Message-ID"] = "<outer@elsewhere.example>"
    outer.set_content("See below.")
    inner = EmailMessage()
    inner["From"], inner["Subject"], inner["Message-ID"] = CUSTOMER, "Request 1", "<request-1@fabrikam.example>"
    inner.set_content("Body")
    outer.add_attachment(inner)
    desk.deliver(bytes(outer))
    desk.poll()
    assert len(desk.tickets()) == 2


def test_a_bounce_joins_the_message_that_bounced_and_reopens_its_ticket(desk: Any, mail: Mail) -> None:
    ticket = opened(desk, mail(1))
    close(desk, ticket)
    report = (
        "From: postmaster@elsewhere.example\r\nTo: support@contoso.example\r\nSubject: Undeliverable\r\n"
        "Message-ID: <bounce@elsewhere.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.elsewhere.example\r\n\r\n"
        "Final-Recipient: rfc822; x@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "--b\r\nContent-Type: {kind}\r\n\r\nFrom: support@contoso.example\r\n"
        "Message-ID: <request-1@fabrikam.example>\r\nSubject: Request 1\r\n\r\n--b--\r\n"
    )
    desk.deliver(report.format(kind="message/rfc822").encode())
    desk.poll()
    assert (now(desk, ticket).messages, now(desk, ticket).state) == (2, TicketState.OPEN)
    again = report.replace("bounce@", "again@").format(kind="text/rfc822-headers")
    desk.deliver(again.encode())
    desk.poll()
    assert now(desk, ticket).messages == 3


@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.PENDING])
def test_a_follow_up_opens_a_ticket_that_waits_or_is_closed_and_its_history_says_so(
    desk: Any, mail: Mail, state: TicketState
) -> None:
    ticket = opened(desk, mail(1))
    close(desk, ticket, state)
    desk.deliver(mail(2, In_Reply_To="<request-1@fabrikam.example>"))
    desk.poll()
    assert now(desk, ticket).state is TicketState.OPEN
    (event,) = desk.engine.stores.tickets.events(desk.id, ticket.id)
    assert (event.kind, event.old, event.new) == (EventKind.STATE, state.value, "open")
    assert "ada@fabrikam.example" in event.by


def test_an_out_of_office_answer_joins_its_ticket_and_leaves_it_closed(desk: Any, mail: Mail) -> None:
    ticket = opened(desk, mail(1))
    close(desk, ticket)
    desk.deliver(mail(2, In_Reply_To="<request-1@fabrikam.example>", Auto_Submitted="auto-replied"))
    desk.poll()
    assert (now(desk, ticket).messages, now(desk, ticket).state) == (2, TicketState.CLOSED)


def test_an_answer_to_two_tickets_merges_the_younger_into_the_older(desk: Any, mail: Mail) -> None:
    older, younger = opened(desk, mail(1)), opened(desk, mail(2))
    both = "<request-2@fabrikam.example> <request-1@fabrikam.example>"
    desk.deliver(mail(3, In_Reply_To=both, References=both))
    desk.poll()
    older, younger = now(desk, older), now(desk, younger)
    assert (older.messages, older.merged) == (2, (younger.id,))
    assert (younger.state, younger.merged_into) == (TicketState.CLOSED, older.id)
    desk.deliver(mail(4, In_Reply_To="<request-2@fabrikam.example>"))
    desk.poll()
    assert now(desk, older).messages == 3
    assert now(desk, younger).messages == 1
    kinds = [each.kind for each in desk.engine.stores.tickets.events(desk.id, younger.id)]
    assert kinds == [EventKind.MERGED]


def test_a_forged_sender_merges_nothing(desk: Any, mail: Mail) -> None:
    older, younger = opened(desk, mail(1)), opened(desk, mail(2))
    both = "<request-2@fabrikam.example> <request-1@fabrikam.example>"
    desk.deliver(mail(3, In_Reply_To=both, Authentication_Results="dmarc=fail header.from=fabrikam.example"))
    desk.poll()
    assert (now(desk, older).messages, now(desk, younger).messages) == (1, 2)


def test_a_stranger_that_answers_two_tickets_joins_the_first_and_merges_nothing(desk: Any, mail: Mail) -> None:
    older, younger = opened(desk, mail(1)), opened(desk, mail(2))
    both = "<request-2@fabrikam.example> <request-1@fabrikam.example>"
    desk.deliver(mail(3, From=STRANGER, In_Reply_To=both))
    desk.poll()
    assert (now(desk, older).messages, now(desk, younger).messages) == (1, 2)
    assert now(desk, younger).state is TicketState.NEW


def test_two_new_mails_and_an_answer_to_both_in_one_page_are_one_ticket(desk: Any, mail: Mail) -> None:
    both = "<request-2@fabrikam.example> <request-1@fabrikam.example>"
    desk.deliver(mail(1), mail(2), mail(3, In_Reply_To=both))
    desk.poll()
    assert [each.messages for each in desk.tickets()] == [3]


def test_a_thread_that_fills_its_ticket_goes_on_in_a_new_one(
    desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "MAX_MESSAGES", 2)
    for number in range(1, 5):
        desk.deliver(mail(number, In_Reply_To="<request-1@fabrikam.example>" if number > 1 else ""))
        desk.poll()
    assert sorted(each.messages for each in desk.tickets()) == [1, 1, 2]


def test_a_usual_page_of_new_mails_looks_nothing_up(desk: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = desk.engine.stores.tickets
    for name in ("ticket", "tickets_by_prefix", "messages_by_key"):
        monkeypatch.setattr(tickets, name, lambda *_: pytest.fail("a look-up"))
    desk.deliver(mail(1), mail(2), mail(3, In_Reply_To="<request-1@fabrikam.example>"))
    assert desk.poll().messages == 3
