"""Who may see and change what, for every route that there is."""

from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from console import web
from console.app import create_app
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor, Reaction, StorageUnavailableError

Open = Callable[..., Any]
# Agents work with tickets and their mails; all else is the operators'.
AGENTS = {"tickets", "mail"}


def routes(method: str) -> list[tuple[str, str]]:
    """Every route with this method: its blueprint and an address."""
    app = create_app(lambda: None)  # type: ignore[arg-type,return-value]  # nothing is asked of it
    found = []
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and rule.endpoint != "static":
            values = dict.fromkeys(rule.arguments, "x")
            found.append((rule.endpoint.partition(".")[0], rule.build(values)[1].removeprefix("/api/console")))  # type: ignore[index]
    return sorted(found)


@pytest.mark.parametrize(("blueprint", "path"), routes("GET"))
def test_every_page_is_for_its_roles_only(open_console: Open, blueprint: str, path: str) -> None:
    assert open_console("nobody").get(path).status_code == 403
    seen = open_console("alex").get(path)
    if blueprint in AGENTS:
        assert seen.status_code != 403
    elif path in {"", "/"}:
        # An agent's first page is the list of tickets.
        assert seen.headers["Location"] == "/api/console/tickets"
    else:
        assert seen.status_code == 403
    assert open_console("olga").get(path).status_code != 403


@pytest.mark.parametrize(("blueprint", "path"), routes("POST"))
def test_every_change_is_for_its_roles_only(open_console: Open, blueprint: str, path: str) -> None:
    for person in ("nobody", "alex") if blueprint not in AGENTS else ("nobody",):
        answer = open_console(person).post(path, {"do": "pause"})
        assert answer.status_code == 403
        assert "You have no access to this page" in answer.text


@pytest.mark.parametrize(("blueprint", "path"), routes("POST"))
def test_every_change_needs_the_token_of_this_browser_and_person(open_console: Open, blueprint: str, path: str) -> None:
    del blueprint
    olga, other = open_console("olga"), open_console("olga")
    for token in ("", "0" * 64, other.token):
        answer = olga.post(path, {"csrf": token})
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text


@pytest.mark.parametrize(("blueprint", "path"), routes("POST"))
def test_no_change_is_taken_from_another_site(open_console: Open, blueprint: str, path: str) -> None:
    del blueprint
    olga = open_console("olga")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        assert olga.post(path, {"do": "pause"}, **headers).status_code == 403


@pytest.mark.parametrize("path", [path for _, path in routes("GET")])
def test_headers_are_not_believed_where_authentication_is_off(open_console: Open, path: str) -> None:
    answer = open_console("olga", environment={}).get(path)
    assert answer.status_code == 403
    assert "Sign-in is not switched on" in answer.text
    assert "olga" not in answer.text


def test_a_form_after_the_sign_in_ended_changes_nothing_and_says_so(open_console: Open) -> None:
    olga = open_console("olga")
    token = olga.token
    olga.headers = {}
    answer = olga.post("/mailboxes/add", {"csrf": token, "name": "Never"})
    assert answer.status_code == 401
    assert "Your sign-in has ended" in answer.text
    assert olga.get("/mailboxes").headers["Location"] == (
        "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fconsole%2Fmailboxes"
    )


def test_every_answer_says_what_browsers_may_do_with_it(olga: Any) -> None:
    for path in ("", "/mailboxes", "/nowhere"):
        headers = olga.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"


def test_the_key_of_the_browser_is_out_of_reach_of_scripts_and_other_sites(olga: Any) -> None:
    cookie = olga.get("/mailboxes/add").headers["Set-Cookie"]
    assert cookie.startswith("__Host-console=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))


def test_no_link_can_put_words_into_the_console_s_mouth(olga: Any) -> None:
    answer = olga.get("/mailboxes?said=Your+account+is+locked,+call+555&closed=call&left=99999999")
    assert "555" not in answer.text
    assert 'role="status"' not in answer.text


def test_what_went_wrong_keeps_its_page_on_the_way_through_the_middleware(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, open_console: Open
) -> None:
    reaction = Reaction(Actor.SERVICE, "storage-unavailable", "Storage can't be reached.")

    def broken() -> None:
        raise StorageUnavailableError(reaction)

    monkeypatch.setattr(engine.overview, "all", broken)
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    monkeypatch.setattr(web, "_app", lambda: create_app(lambda: engine))
    headers = open_console("olga").headers
    answer = web.respond(func.HttpRequest(method="GET", url="https://localhost/api/console", headers=headers, body=b""))
    assert answer.status_code == 503
    assert b"Storage can&#39;t be reached." in answer.get_body()
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_nobody_foresaw_shows_a_reference_that_the_log_has(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, olga: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("an inner detail")

    monkeypatch.setattr(engine.overview, "all", broken)
    answer = olga.get("")
    assert answer.status_code == 500
    assert "an inner detail" not in answer.text
    reference = caplog.records[-1].getMessage().rpartition(" ")[2]
    assert reference in answer.text
    assert "an inner detail" in caplog.text
