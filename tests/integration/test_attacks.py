"""The consent as an outsider sees it: every request goes through the HTTP functions."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import azure.functions as func
import pytest

import oauth_callback
from devcloud.cloud import DevCloud
from ticket_engine import process
from ticket_engine.oauth.outcome import Started
from ticket_engine.records import Mailbox, RecordError

Desks = Callable[..., Any]


@pytest.fixture(autouse=True)
def app(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    process.engine.cache_clear()
    yield
    process.engine.cache_clear()


def open_link(mailbox_id: str, invite: str, headers: dict[str, str] | None = None, **more: str) -> func.HttpResponse:
    return call(oauth_callback.oauth_consent, {"invite": invite, **more}, headers or {}, {"mailbox_id": mailbox_id})


def come_back(parameters: dict[str, str], cookie: str, **headers: str) -> func.HttpResponse:
    return call(oauth_callback.oauth_callback, parameters, {"Cookie": cookie, **headers}, {})


def call(function: Any, query: dict[str, str], headers: dict[str, str], route: dict[str, str]) -> func.HttpResponse:
    request = func.HttpRequest(
        "GET", "https://app.example/api/x", headers=headers, params=query, route_params=route, body=b""
    )
    response: func.HttpResponse = function._function.get_user_function()(request)
    return response


def cookie_of(started: Started) -> str:
    return f"{started.cookie_name}={started.cookie_value}"


def start(desk: Any, invite: str) -> tuple[dict[str, str], str]:
    """The parameters and the cookie with which an owner's browser comes back."""
    response = open_link(desk.id, invite)
    assert response.status_code == 302
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    return desk.cloud_redirect(response.headers["Location"]), cookie


def connected(desk: Any) -> bool:
    return bool(desk.engine.stores.states.token(desk.id).connected)


def test_a_link_previewer_that_opens_the_link_spends_nothing(new_desk: Desks) -> None:
    desk = new_desk()
    invite = desk.invite()
    for _ in range(20):
        assert open_link(desk.id, invite, {"User-Agent": "SafeLinks"}).status_code == 302
    parameters, cookie = start(desk, invite)
    assert come_back(parameters, cookie).status_code == 200
    assert open_link(desk.id, invite).status_code == 404, "now it is spent"


def test_the_same_sign_in_that_comes_back_twice_is_answered_once(new_desk: Desks) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())
    assert [come_back(parameters, cookie).status_code for _ in range(2)] == [200, 404]
    assert connected(desk)


def test_a_victims_browser_can_not_be_made_to_finish_an_attackers_sign_in(new_desk: Desks) -> None:
    desk = new_desk()
    invite = desk.invite()
    attackers, _ = start(desk, invite)
    _, victims_cookie = start(desk, invite)
    response = come_back(attackers, victims_cookie)
    assert response.status_code == 404
    assert b"another browser" in response.get_body()
    assert not connected(desk)


@pytest.mark.parametrize("name", ["redirect_uri", "redirect_url", "next", "return_to", "url", "state", "login_hint"])
def test_no_parameter_and_no_header_leads_the_browser_elsewhere(new_desk: Desks, cloud: DevCloud, name: str) -> None:
    desk = new_desk()
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Original-URL": "https://evil.example"}
    response = open_link(desk.id, desk.invite(), headers, **{name: "https://evil.example/"})
    assert response.headers["Location"].startswith(f"{cloud.entra.url}/{cloud.tenant.id}/oauth2/v2.0/authorize?")
    assert "evil.example" not in response.headers["Location"]
    parameters = desk.cloud_redirect(response.headers["Location"])
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    more = {} if name == "state" else {name: "https://evil.example/"}
    finished = come_back({**parameters, **more}, cookie, Host="evil.example")
    assert finished.status_code == 200
    assert "Location" not in finished.headers
    assert b"evil.example" not in finished.get_body()


def test_markup_in_the_parameters_of_the_callback_is_not_shown(new_desk: Desks) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())
    markup = "<script>alert(1)</script>"
    bad = {"state": parameters["state"], "error": f"x{markup}", "error_description": markup, "error_uri": markup}
    body = come_back(bad, cookie).get_body()
    assert b"alert(1)" not in body
    assert b"Something went wrong" in body


ODD_COOKIES = [
    'prefs={"a": 1, "b": [2]}; {own}',
    "a b c; =; ;;; {own}",
    "caf\u00e9=\u00e9; {own}; x",
    "{own}; big=" + "x" * 30_000,
    'quoted="a; {own}; b"',
    "$Version=1; {own}; $Path=/",
    " {own} ",
]


@pytest.mark.parametrize("shape", ODD_COOKIES)
def test_other_cookies_of_the_host_do_not_disturb_the_consent(new_desk: Desks, shape: str) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())
    assert come_back(parameters, shape.replace("{own}", cookie)).status_code == 200
    assert connected(desk)


@pytest.mark.parametrize(
    "shape", ["", ";", "=", "__Host-consent-=x", "{name}", "{name}=", "{name}=%00", "{name}=\u00e9"]
)
def test_a_cookie_that_is_not_the_flows_is_refused(new_desk: Desks, shape: str) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())
    response = come_back(parameters, shape.replace("{name}", cookie.partition("=")[0]))
    assert response.status_code == 404
    assert not connected(desk)


ODD_IDS = [
    "",
    "..",
    "../x",
    "a'b",
    "a/b",
    "a#b?c",
    "%00",
    "\x00",
    "\u00e9",
    "x" * 5000,
    "a\r\nSet-Cookie: x=y",
    "{id}\n",
]


@pytest.mark.parametrize("mailbox_id", ODD_IDS)
def test_what_is_no_mailbox_answers_like_a_wrong_invite(new_desk: Desks, mailbox_id: str) -> None:
    desk = new_desk()
    odd = open_link(mailbox_id.replace("{id}", desk.id), desk.invite())
    wrong = open_link(desk.id, "wrong")
    assert (odd.status_code, odd.get_body()) == (wrong.status_code, wrong.get_body()) == (404, wrong.get_body())
    assert "Set-Cookie" not in odd.headers


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_inputs_of_any_size_end_on_a_page(new_desk: Desks, size: int) -> None:
    desk = new_desk()
    assert open_link(desk.id, "i" * size).status_code == 404
    parameters, cookie = start(desk, desk.invite())
    assert come_back({"state": "s" * size, "code": "c" * size}, cookie).status_code == 404
    assert come_back({"state": parameters["state"], "code": "c" * size}, cookie).status_code == 500
    assert not connected(desk)


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=y", "a\nb", "a\x00b", "\u2028"])
def test_a_mailboxs_name_brings_no_header_of_its_own(new_desk: Desks, name: str) -> None:
    desk = new_desk()
    with pytest.raises(RecordError, match="a name of one line"):
        desk.change(name=name)
    # Not even one that got into the table in another way.
    invite, sound = desk.invite(), desk.mailbox
    forged = Mailbox.model_construct(**{**dict(sound), "name": name})
    desk.engine.stores.mailboxes._rows.put(forged, "mailbox", desk.id)
    response = open_link(desk.id, invite)
    desk.engine.stores.mailboxes.put(sound)
    assert response.status_code == 500
    assert all("x=y" not in str(value) for value in response.headers.values())


def test_an_application_approved_by_nobody_connects_nothing(new_desk: Desks) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())
    response = come_back({"admin_consent": "True", "tenant": "x", "state": parameters["state"]}, cookie)
    assert b"The application is approved" in response.get_body()
    assert not connected(desk)
    assert come_back(parameters, cookie).status_code == 200, "the owner's own sign-in is not touched"


def test_an_administrator_who_does_not_approve_is_told_so(new_desk: Desks) -> None:
    del new_desk
    denied = {"error": "access_denied", "error_description": "AADSTS65004", "state": "approval"}
    for parameters in (denied, {**denied, "admin_consent": "True"}, {**denied, "error": "permission_denied"}):
        response = come_back(parameters, "")
        assert response.status_code == 200
        assert b"The application was not approved" in response.get_body()


def failures(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if getattr(each, "event", "") == "consent-failed"]


def test_a_page_that_says_what_broke_shows_the_reference_that_the_log_has(
    new_desk: Desks, cloud: DevCloud, caplog: pytest.LogCaptureFixture
) -> None:
    desk = new_desk()
    invite = desk.invite()
    parameters, cookie = start(desk, invite)
    caplog.set_level(logging.INFO)
    cloud.vault.faults.add("get", status=403, body="{}")
    at_start = open_link(desk.id, invite)
    cloud.entra.faults.add("token", status=500, times=2)
    at_end = come_back(parameters, cookie)
    cloud.entra.faults.clear()
    assert [at_start.status_code, at_end.status_code] == [500, 500]
    for response, record in zip((at_start, at_end), failures(caplog), strict=True):
        reference = re.findall(rb"<strong>([0-9a-f]{8})</strong>", response.get_body())
        assert reference
        assert f"reference {reference[0].decode()}" in record.getMessage()
        assert record.__dict__["mailbox"] == desk.id


def test_what_nobody_foresaw_ends_on_a_page_with_its_reference_and_a_traceback_in_the_log(
    new_desk: Desks, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = new_desk()
    parameters, cookie = start(desk, desk.invite())

    def unforeseen(*_: object) -> None:
        raise LookupError("a bug of ours")

    monkeypatch.setattr("ticket_engine.oauth.connection.Connector.connect", unforeseen)
    response = come_back(parameters, cookie)
    assert response.status_code == 500
    assert b"a bug of ours" not in response.get_body()
    record = next(each for each in caplog.records if each.exc_info and each.name == "oauth_callback")
    assert record.getMessage().rpartition(" ")[2].encode() in response.get_body()


def test_an_outsiders_guesses_are_no_event_that_alerts(new_desk: Desks, caplog: pytest.LogCaptureFixture) -> None:
    desk = new_desk()
    caplog.set_level(logging.INFO)
    open_link(desk.id, "guessed")
    open_link("no-such-mailbox", "guessed")
    come_back({"state": "guessed", "code": "c"}, "")
    assert failures(caplog) == []


def test_the_callback_counts_no_flow_that_nobody_started(new_desk: Desks) -> None:
    desk = new_desk()
    journal = len(desk.engine.stores.journal.newest(desk.id))
    for n in range(20):
        assert come_back({"state": f"guess-{n}", "code": "c"}, "").status_code == 404
        assert open_link(desk.id, f"guess-{n}").status_code == 404
    assert len(desk.engine.stores.journal.newest(desk.id)) == journal, "an outsider can't fill the journal"
