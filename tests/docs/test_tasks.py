"""The guide to tasks says what is posted."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticket_engine.records import Errand, Mailbox, Message, MessageKind, Task, Ticket, TicketType
from ticket_engine.tasks.delivery import MAX_ATTEMPTS
from ticket_engine.tasks.task import Delivery
from ticket_engine.tasks.webhook import payload

GUIDE = (Path(__file__).parents[2] / "docs/tasks.md").read_text()
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_the_documented_post_is_the_one_that_is_sent() -> None:
    match = re.search(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert match is not None
    documented = json.loads(match[1])
    told: dict[str, Any] = documented["data"]["message"]
    ticket = Ticket(
        id=documented["data"]["ticket"]["id"],
        ticket_type="requests",
        task=Task.WEBHOOK,
        subject="Printer",
        sender="Ada <ada@fabrikam.example>",
        assignee="lead@contoso.example",
        created_at=NOW,
        updated_at=NOW,
    ).with_messages([told["id"]])
    message = Message(
        key=told["id"],
        ticket=ticket.id,
        kind=MessageKind.PARSED,
        message_id=told["message_id"],
        subject="Printer",
        sender=ticket.sender,
        sender_address="ada@fabrikam.example",
        recipients="support@contoso.example",
        received_at=NOW,
        sent_at=datetime(2026, 11, 24, 9, 59, tzinfo=UTC),
        size=4000,
        archive="a",
        entry="e",
        source_item="s",
        text="It is on fire.",
        attachments=1,
        attachment_names="photo.jpg",
    )
    mailbox = Mailbox.create(
        id="support",
        name="Support",
        username="support@contoso.example",
        tenant_id="organizations",
        client_id="11111111-2222-3333-4444-555555555555",
        redirect_url="https://app.example/api/oauth/callback",
    )
    fields = {"id": "requests", "name": "R", "mailbox": "support", "admin_email": ticket.assignee}
    ticket_type = TicketType.create(**fields, task=Task.WEBHOOK, webhook_url="https://hooks.example/")
    errand = Errand(ticket.id, message.key, ticket_type.id, NOW, NOW)
    assert payload(Delivery(errand, mailbox, ticket_type, ticket, message)) == documented


def test_every_task_and_the_number_of_tries_is_in_the_guide() -> None:
    assert set(re.findall(r"^\| (\w[\w ]+?) \|", GUIDE, re.MULTILINE)) - {"task"} == {each.value for each in Task}
    assert f"{MAX_ATTEMPTS} times in all" in GUIDE
