"""How a consent begins and ends: what the person in the browser is told, and what the browser is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ticket_engine.errors import Actor, ConsentError, MailLoginError, Reaction, TicketEngineError

if TYPE_CHECKING:
    from ticket_engine.records import Mailbox


class Page(StrEnum):
    """What the person in the browser is told."""

    CONNECTED = "connected"
    WRONG_ACCOUNT = "wrong-account"
    DECLINED = "declined"
    ADMIN_APPROVAL = "admin-approval"
    APPROVED = "approved"
    NOT_APPROVED = "not-approved"
    LINK_ENDED = "link-ended"
    MAILBOX_REFUSED = "mailbox-refused"
    BROKEN = "broken"


@dataclass(frozen=True)
class Started:
    """Where to send the browser, and the cookie that binds the flow to it."""

    authorize_url: str = field(repr=False)
    cookie_name: str
    cookie_value: str = field(repr=False)
    max_age: int


@dataclass(frozen=True)
class Connected:
    """A consent that worked."""

    mailbox: Mailbox
    mails: int


class Refusal(ConsentError):  # noqa: N818 - a refusal is what it is, not an accident
    """The consent ended without a connection; ``page`` is what to show, ``mailbox`` whose it was, if known.

    ``retry`` is another sign-in for the same browser, ``approval_url`` the link for the tenant's administrator.
    """

    def __init__(self, page: Page, reaction: Reaction, mailbox: Mailbox | None = None) -> None:
        super().__init__(reaction)
        self.page = page
        self.mailbox = mailbox
        self.retry: Started | None = None
        self.approval_url: str | None = None


def refusal_of(error: TicketEngineError, mailbox: Mailbox) -> Refusal:
    """The refusal that an error of the identity platform, the vault or the mail server leads to."""
    if isinstance(error, Refusal):
        return error
    page = Page.BROKEN
    if isinstance(error, MailLoginError):
        page = Page.MAILBOX_REFUSED
    elif error.reaction.actor is Actor.TENANT_ADMIN:
        page = Page.ADMIN_APPROVAL
    return Refusal(page, error.reaction, mailbox)


def link_ended(mailbox: Mailbox | None) -> Refusal:
    """The link was used, has expired, was revoked or replaced, or never was one."""
    return Refusal(
        Page.LINK_ENDED,
        Reaction(
            Actor.OWNER,
            "link-ended",
            "This link was used already, has expired or was replaced: ask whoever sent it for a new one.",
        ),
        mailbox,
    )


def other_browser(mailbox: Mailbox) -> Refusal:
    """The browser of the callback is not the one that started the flow."""
    return Refusal(
        Page.LINK_ENDED,
        Reaction(
            Actor.OWNER,
            "other-browser",
            "The sign-in came back to another browser than it was started in, or cookies are off: open the "
            "consent link again and finish in the same browser.",
        ),
        mailbox,
    )


def not_genuine(why: str, mailbox: Mailbox) -> Refusal:
    """The response or its ID token is not Microsoft's answer to this sign-in."""
    return Refusal(
        Page.BROKEN,
        Reaction(
            Actor.OWNER,
            "sign-in-not-genuine",
            f"The sign-in could not be verified ({why}): nothing was stored; open the consent link again.",
        ),
        mailbox,
    )


def wrong_account(mailbox: Mailbox) -> Refusal:
    """Another account than the one that must consent."""
    expected = mailbox.consenting_account
    who = f"{expected}, who may open the shared mailbox {mailbox.username}," if mailbox.shared_mailbox else expected
    return Refusal(
        Page.WRONG_ACCOUNT,
        Reaction(
            Actor.OWNER,
            "wrong-account",
            f"Another account than {who} signed in: open the link again and choose {expected}.",
        ),
        mailbox,
    )


def wrong_tenant(mailbox: Mailbox) -> Refusal:
    """The right name in another tenant than the one that the mailbox was connected in at first."""
    return Refusal(
        Page.BROKEN,
        Reaction(
            Actor.OPERATOR,
            "wrong-tenant",
            f"{mailbox.consenting_account} signed in to another tenant than the one that this mailbox was connected in "
            "at first: if the mailbox has moved, put the new tenant's id into its tenant id.",
        ),
        mailbox,
    )


def no_refresh_token(mailbox: Mailbox) -> Refusal:
    """A token response without a refresh token."""
    return Refusal(
        Page.BROKEN,
        Reaction(
            Actor.OPERATOR,
            "no-refresh-token",
            "The identity platform gave no refresh token: add offline_access to the application's permissions.",
        ),
        mailbox,
    )
