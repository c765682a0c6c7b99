"""Every event that the service logs: its name, its level, what it means, and its fields.

A log line's text is for people; queries and alerts name the event and its fields, which are the attributes of the log
record (Application Insights: ``customDimensions``). The field ``event`` carries the name.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happened; ``fields`` name everything that it carries beside the text."""

    name: str
    level: int
    meaning: str
    fields: tuple[str, ...]

    def log(self, logger: logging.Logger, message: str, *values: object, **fields: object) -> None:
        """Log it, with a sentence for people; ``fields`` are those that the event declares."""
        logger.log(self.level, message, *values, extra={"event": self.name, **fields}, stacklevel=2)


MAILBOX_NEEDS = Event(
    "mailbox-needs",
    logging.WARNING,
    "A mailbox does not work, every ten minutes until it does; not-polled means that its polls never run.",
    ("mailbox", "code", "actor"),
)
POLLS_QUEUED = Event(
    "polls-queued",
    logging.INFO,
    "The poll timer ran: so many mailboxes were due.",
    ("mailboxes", "past_due"),
)
MAILBOX_POLLED = Event(
    "mailbox-polled",
    logging.INFO,
    "A poll went well, or had nothing to do.",
    ("mailbox", "mails", "tickets", "messages", "more", "seconds"),
)
POLL_FAILED = Event(
    "poll-failed",
    logging.WARNING,
    "A poll failed; the code says why, the actor who must act.",
    ("mailbox", "code", "actor"),
)
MAIL_QUARANTINED = Event(
    "mail-quarantined",
    logging.ERROR,
    "A mail could not be ingested after several tries; it stays on the server and waits for a person.",
    ("mailbox", "item"),
)
MESSAGE_POISONED = Event(
    "message-poisoned",
    logging.ERROR,
    "The work of a queue message failed again and again, and it was given up.",
    ("queue", "mailbox"),
)
ROTATIONS_QUEUED = Event(
    "rotations-queued",
    logging.INFO,
    "The refresh timer ran: so many tokens were due, consents swept, warnings given.",
    ("mailboxes", "swept", "warned", "past_due"),
)
TOKEN_ROTATED = Event("token-rotated", logging.INFO, "A refresh token was renewed.", ("mailbox",))
ROTATION_FAILED = Event(
    "rotation-failed",
    logging.WARNING,
    "A refresh token could not be renewed; the stored one is kept.",
    ("mailbox", "code", "actor"),
)
CREDENTIAL_REFUSED = Event(
    "credential-refused",
    logging.ERROR,
    "Microsoft Entra ID refuses an application's credential; every mailbox that uses it waits.",
    ("client_id", "code"),
)
CREDENTIAL_ACCEPTED = Event(
    "credential-accepted", logging.INFO, "A credential that was refused works again.", ("client_id",)
)
EXPIRY = Event(
    "expiry",
    logging.WARNING,
    "A refresh token, client secret or certificate ends in so many days.",
    ("mailbox", "what", "days"),
)
DELIVERIES_QUEUED = Event(
    "deliveries-queued",
    logging.INFO,
    "The delivery timer ran: so many mailboxes have webhook posts or notifications to send.",
    ("mailboxes", "past_due"),
)
DELIVERED = Event(
    "delivered",
    logging.INFO,
    "A mailbox's webhook posts and notifications were sent, failed for now, or were given up.",
    ("mailbox", "done", "failed", "dead"),
)
DELIVERY_GIVEN_UP = Event(
    "delivery-given-up",
    logging.ERROR,
    "Webhook posts or notifications of a mailbox were given up after all tries; the journal says why.",
    ("mailbox", "dead"),
)
TICKETS_REMOVED = Event(
    "tickets-removed",
    logging.INFO,
    "The retention timer ran: so many closed tickets were removed, and so many mailboxes failed.",
    ("tickets", "failed"),
)
MAILBOX_CONNECTED = Event("mailbox-connected", logging.INFO, "A consent gave a mailbox its token.", ("mailbox",))
CONSENT_FAILED = Event(
    "consent-failed", logging.WARNING, "A consent did not lead to a connection.", ("mailbox", "code", "actor")
)

EVENTS = (
    MAILBOX_NEEDS,
    POLLS_QUEUED,
    MAILBOX_POLLED,
    POLL_FAILED,
    MAIL_QUARANTINED,
    MESSAGE_POISONED,
    ROTATIONS_QUEUED,
    TOKEN_ROTATED,
    ROTATION_FAILED,
    CREDENTIAL_REFUSED,
    CREDENTIAL_ACCEPTED,
    EXPIRY,
    DELIVERIES_QUEUED,
    DELIVERED,
    DELIVERY_GIVEN_UP,
    TICKETS_REMOVED,
    MAILBOX_CONNECTED,
    CONSENT_FAILED,
)
