"""Whom the console believes."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from console import csrf
from console.principal import AuthenticationOffError, NotSignedInError, Role, read_principal

ON = {"WEBSITE_AUTH_ENABLED": "True"}


def headers(*roles: str, role_type: str = "roles", **changed: str) -> Callable[[str, str], str]:
    claims: list[dict[str, Any]] = [{"typ": "preferred_username", "val": "olga@contoso.example"}]
    claims += [{"typ": role_type, "val": role} for role in roles]
    principal = {"auth_typ": "aad", "claims": claims, "role_typ": "http://schemas.microsoft.com/role"}
    sent = {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": "00000000-0000-0000-0000-000000000001",
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
        "X-MS-CLIENT-PRINCIPAL-NAME": "someone else",
        **changed,
    }
    return sent.get


def test_the_token_s_claims_say_who_it_is_and_what_they_may_do() -> None:
    principal = read_principal(headers("Operator", "Auditor"), ON)
    assert principal.name == "olga@contoso.example"
    assert principal.roles == {Role.OPERATOR}
    assert principal.operator
    assert principal.agent


def test_an_agent_is_no_operator() -> None:
    principal = read_principal(headers("Agent"), ON)
    assert principal.agent
    assert not principal.operator


def test_a_role_under_the_long_claim_name_counts() -> None:
    assert read_principal(headers("Agent", role_type="http://schemas.microsoft.com/role"), ON).agent


@pytest.mark.parametrize("environment", [{}, {"WEBSITE_AUTH_ENABLED": ""}, {"WEBSITE_AUTH_ENABLED": "False"}])
def test_headers_are_worth_nothing_where_authentication_is_off(environment: dict[str, str]) -> None:
    with pytest.raises(AuthenticationOffError):
        read_principal(headers("Operator"), environment)


def test_without_headers_nobody_is_signed_in() -> None:
    nothing: dict[str, str] = {}
    with pytest.raises(NotSignedInError):
        read_principal(nothing.get, ON)


@pytest.mark.parametrize(
    "claims", ["", "%%%", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"claims":[1]}').decode()]
)
def test_claims_that_cannot_be_read_give_no_role(claims: str) -> None:
    principal = read_principal(headers("Operator", **{"X-MS-CLIENT-PRINCIPAL": claims}), ON)
    assert not principal.agent


def test_an_account_of_another_provider_has_no_role() -> None:
    assert not read_principal(headers("Operator", **{"X-MS-CLIENT-PRINCIPAL-IDP": "google"}), ON).agent


def test_a_token_is_good_for_its_browser_and_person_only() -> None:
    mine, other = csrf.new_key(), csrf.new_key()
    token = csrf.token(mine, "olga")
    assert csrf.is_ours(token, mine, "olga")
    assert not csrf.is_ours(token, other, "olga")
    assert not csrf.is_ours(token, mine, "alex")
    assert not csrf.is_ours("", mine, "olga")
    assert not csrf.is_ours(csrf.token("", "olga"), "", "olga")


@pytest.mark.parametrize(
    ("sent", "foreign"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "https://app.example"}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({}, False),
    ],
)
def test_the_browser_s_word_about_the_origin_counts(sent: dict[str, str], foreign: bool) -> None:
    assert csrf.from_another_site(sent.get, "app.example") is foreign
