"""The permissions that are asked for: what the owner agrees to, and what a token is good for."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from ticket_engine.errors import Actor, TokenError
from ticket_engine.oauth import scopes
from ticket_engine.records import MailboxType

Desks = Callable[..., Any]


def asked(desk: Any) -> set[str]:
    url = desk.engine.consent.start(desk.id, desk.invite()).authorize_url
    return {each for each in parse_qs(urlsplit(url).query)["scope"][0].split() if "/" in each}


def permissions(access_token: str) -> str:
    claims = jwt.decode(access_token, options={"verify_signature": False})
    return str(claims["scp"])


def test_the_consent_asks_to_send_only_for_a_mailbox_that_may(new_desk: Desks) -> None:
    reads = set(scopes.READING.values())
    assert asked(new_desk()) == reads
    assert asked(new_desk(may_send=True)) == {*reads, "https://outlook.office.com/SMTP.Send"}


def test_an_administrator_approves_what_the_consent_asks_for(new_desk: Desks) -> None:
    url = new_desk().engine.applications.admin_consent_url(new_desk(may_send=True).mailbox)
    assert set(parse_qs(urlsplit(url).query)["scope"][0].split()) == {*scopes.READING.values(), scopes.SENDING}


def test_tokens_to_read_and_to_send_are_kept_apart(new_desk: Desks) -> None:
    desk = new_desk(may_send=True)
    desk.connect()
    broker = desk.engine.broker
    assert permissions(broker.sending_token(desk.mailbox)) == "SMTP.Send"
    assert permissions(broker.access_token(desk.mailbox)) == "POP.AccessAsUser.All"
    assert broker.sending_token(desk.mailbox) == broker.sending_token(desk.mailbox)


def test_a_mailbox_that_may_not_send_gets_no_token_to_send(desk: Any) -> None:
    with pytest.raises(TokenError, match=r"may-not-send: .*set may_send to true") as caught:
        desk.engine.broker.sending_token(desk.mailbox)
    assert caught.value.reaction.actor is Actor.OPERATOR


def test_sending_without_the_owners_agreement_asks_the_owner_and_reading_goes_on(
    desk: Any, mail: Callable[..., bytes]
) -> None:
    desk.change(may_send=True)
    with pytest.raises(TokenError, match="AADSTS65001") as caught:
        desk.engine.broker.sending_token(desk.mailbox)
    assert caught.value.reaction.actor is Actor.OWNER
    desk.deliver(mail(1))
    assert desk.poll().messages == 1
    desk.engine.broker.rotate(desk.mailbox)
    desk.connect()
    assert desk.engine.broker.sending_token(desk.mailbox)


def test_a_mailbox_changes_its_protocol_without_a_new_consent(desk: Any) -> None:
    desk.change(type=MailboxType.IMAP, port=993)
    assert permissions(desk.engine.broker.access_token(desk.mailbox)) == "IMAP.AccessAsUser.All"


def test_a_token_that_was_obtained_by_hand_for_one_protocol_is_enough_for_it(
    new_desk: Desks, mail: Callable[..., bytes]
) -> None:
    desk = new_desk()
    token = desk.token_by_hand(scopes.READING[MailboxType.POP3])
    desk.engine.connector.import_token(desk.id, token)
    desk.deliver(mail(1))
    assert desk.poll().messages == 1
    desk.engine.broker.rotate(desk.mailbox)
