"""Webhook: each new message is posted as signed JSON (the Standard Webhooks specification) to an address of yours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime
from typing import Any, ClassVar

from ticket_engine.errors import Actor, Reaction
from ticket_engine.tasks.post import PostError, post
from ticket_engine.tasks.task import Delivery, DeliveryError, Services, TicketTask

_PREFIX = "whsec_"
_GONE = 410
_SUCCESS = range(200, 300)


class Webhook(TicketTask):
    """Simple Storage, and a post of each message."""

    delivers: ClassVar[bool] = True

    def deliver(self, delivery: Delivery, services: Services) -> None:
        """Post the message; an answer from 200 to 299 is a receipt.

        A message may be posted more than once, when the receipt was lost: always with the same ``webhook-id``, by
        which the receiver knows it.

        Raises:
            DeliveryError: the address refused, did not answer, or may not be called.
        """
        ticket_type = delivery.ticket_type
        secret = services.stores.vault.webhook_secret(ticket_type.id)
        if secret is None:
            raise _failed(ticket_type.id, "it has no signing secret: make one for the ticket type", Actor.OPERATOR)
        body = json.dumps(payload(delivery), ensure_ascii=False).encode("utf-8", "replace")
        sent_at = services.clock()
        headers = signed(delivery.message.key, sent_at, body, secret.value)
        try:
            status = post(ticket_type.webhook_url, body, headers, allow_private=services.settings.webhook_allow_private)
        except PostError as error:
            raise _failed(ticket_type.id, str(error)) from None
        if status not in _SUCCESS:
            gone = status == _GONE
            raise _failed(ticket_type.id, f"the address answered HTTP {status}", final=gone)


TASK = Webhook()


def new_secret() -> str:
    """A new signing secret: ``whsec_`` and 32 random octets in base 64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(message_id: str, at: datetime, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a post: its id, the moment, and the HMAC-SHA256 of both and the body."""
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.digest(key, b".".join((message_id.encode(), seconds.encode(), body)), hashlib.sha256)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Ticket-Engine",
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def payload(delivery: Delivery) -> dict[str, Any]:
    """What is posted; a field is never renamed or removed, but others may be added."""
    ticket, message = delivery.ticket, delivery.message
    return {
        "type": "message.received",
        "timestamp": message.received_at.isoformat(),
        "data": {
            "ticket": {
                "id": ticket.id,
                "mailbox": delivery.mailbox.id,
                "ticket_type": ticket.ticket_type,
                "state": ticket.state.value,
                "subject": ticket.subject,
                "sender": ticket.sender,
                "assignee": ticket.assignee,
                "created_at": ticket.created_at.isoformat(),
                "link": delivery.link,
            },
            "message": {
                "id": message.key,
                "first": message.key == ticket.message_keys[0],
                "message_id": message.message_id,
                "subject": message.subject,
                "sender": message.sender,
                "sender_address": message.sender_address,
                "recipients": message.recipients,
                "sent_at": message.sent_at.isoformat() if message.sent_at else None,
                "received_at": message.received_at.isoformat(),
                "size": message.size,
                "kind": message.kind.value,
                "text": message.text,
                "attachments": message.attachment_names.splitlines(),
                "classes": message.classes.split(),
            },
        },
    }


def _failed(ticket_type: str, why: str, actor: Actor = Actor.OPERATOR, *, final: bool = False) -> DeliveryError:
    sentence = f"The webhook of ticket type {ticket_type} failed: {why}."
    return DeliveryError(Reaction(actor, "webhook-failed", sentence), final=final)
