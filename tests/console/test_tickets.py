"""Tickets on their pages: lists, changes, mails, and what hostile mail can't do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

HOSTILE = b"""From: Mallory <mallory@evil.example>
To: support@contoso.example
Subject: <img src=x onerror=alert(1)>
Message-ID: <%s@evil.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<meta http-equiv=refresh content="0;url=https://evil.example/"><script>alert(1)</script><p onclick=alert(1)>Hello</p>
<svg onload=alert(1)></svg><a href="javascript:alert(1)">click</a>
<form action=https://evil.example/><input name=q></form>
<img src=https://evil.example/pixel.png><style>body{background:url(https://evil.example/css)}</style>
<div style="background:url(https://evil.example/style)">styled</div><base href=https://evil.example/>
--b
Content-Type: text/html; name="../../etc/passwd.html"
Content-Disposition: attachment; filename="../../etc/passwd.html"

<script>alert(document.cookie)</script>
--b--
"""


@pytest.fixture
def ticket(desk: Any, mail: Callable[..., bytes]) -> Any:
    """A ticket of a mail, with its path."""
    desk.deliver(mail(1, subject="The printer", body="It does not print."))
    desk.poll()
    (found,) = desk.tickets()
    return found


def path_of(desk: Any, ticket: Any) -> str:
    return f"/tickets/{desk.id}/{ticket.id}"


def etag(desk: Any, ticket: Any) -> str:
    return str(desk.engine.tickets.get(desk.id, ticket.id).etag)


def test_the_list_shows_the_newest_ticket_first_and_what_the_address_asks_for(
    desk: Any, olga: Any, mail: Callable[..., bytes]
) -> None:
    desk.deliver(mail(1, subject="Older"), mail(2, subject="Newer"))
    desk.poll()
    page = olga.get(f"/tickets?mailbox={desk.id}").text
    assert page.index("Newer") < page.index("Older")
    found = olga.get(f"/tickets?mailbox={desk.id}&text=older").text
    assert "Older" in found
    assert "Newer" not in found
    assert "Look in closed tickets too" in olga.get(f"/tickets?mailbox={desk.id}&assignee=x@y.example").text


def test_a_filter_that_cannot_be_read_says_what_it_takes(olga: Any) -> None:
    answer = olga.get("/tickets?state=lost&since=yesterday&after=nonsense")
    assert answer.status_code == 422
    assert "2026-11-24" in answer.text


def test_an_agent_works_on_a_ticket_and_the_history_has_the_name(
    desk: Any, ticket: Any, open_console: Callable[..., Any]
) -> None:
    alex = open_console("alex")
    here = path_of(desk, ticket)
    alex.get(here)
    values = {"do": "save", "state": "pending", "assignee": "alex@contoso.example", "note": "Asked for\nthe model."}
    assert alex.post(here, {**values, "etag": etag(desk, ticket)}).status_code == 303
    page = alex.get(here).text
    assert "State: new → pending" in page
    assert "Asked for\nthe model." in page
    assert page.count("alex@contoso.example") >= 3


def test_the_second_of_two_people_is_told_and_keeps_what_was_written(desk: Any, ticket: Any, olga: Any) -> None:
    here, seen = path_of(desk, ticket), etag(desk, ticket)
    olga.get(here)
    assert olga.post(here, {"do": "close", "etag": seen}).status_code == 303
    answer = olga.post(here, {"do": "save", "state": "open", "assignee": "", "note": "My long note", "etag": seen})
    assert answer.status_code == 409
    assert "was changed since you looked at it" in answer.text
    assert "My long note" in answer.text
    (now,) = desk.tickets()
    assert now.state == "closed"


def test_closing_many_goes_back_to_the_same_list_and_counts(desk: Any, olga: Any, mail: Callable[..., bytes]) -> None:
    desk.deliver(mail(1), mail(2), mail(3))
    desk.poll()
    olga.get(f"/tickets?mailbox={desk.id}")
    marked = [f"{desk.id}/{each.id}" for each in desk.tickets()[:2]] + [f"{desk.id}/000000000000", "nonsense"]
    answer = olga.post(f"/tickets?mailbox={desk.id}&state=not-closed", {"ticket": marked})
    assert answer.headers["Location"].startswith(
        f"/api/console/tickets?state=not-closed&mailbox={desk.id}&closed=2&left=2"
    )
    page = olga.get(answer.headers["Location"].removeprefix("/api/console")).text
    assert "2 tickets were closed." in page
    assert page.count('name="ticket"') == 1


def test_a_ticket_is_found_by_its_id_alone(desk: Any, ticket: Any, olga: Any) -> None:
    answer = olga.get(f"/tickets/{ticket.id.lower()}")
    assert answer.headers["Location"] == f"/api/console{path_of(desk, ticket)}"
    for wrong in ("0" * 12, "x", "..", "%2e%2e"):
        assert olga.get(f"/tickets/{wrong}").status_code in {404, 308, 200}


def test_the_raw_mail_comes_byte_for_byte_as_a_file(desk: Any, olga: Any, mail: Callable[..., bytes]) -> None:
    raw = mail(1, body="..dots\r\n.\r\nand an end")
    desk.deliver(raw)
    desk.poll()
    (message,) = desk.messages()
    answer = olga.get(f"/tickets/{desk.id}/{message.ticket}/{message.key}/raw")
    assert answer.data == raw
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")


def test_a_mail_of_another_ticket_or_mailbox_is_not_there(
    desk: Any, ticket: Any, new_desk: Callable[..., Any], olga: Any
) -> None:
    other = new_desk()
    (message,) = desk.messages()
    for path in (
        f"/tickets/{other.id}/{ticket.id}/{message.key}",
        f"/tickets/{desk.id}/000000000000/{message.key}",
        f"/tickets/{desk.id}/{ticket.id}/T{ticket.id}",
        f"/tickets/{desk.id}/{ticket.id}/..",
    ):
        for what in ("raw", "page", "file?name=x"):
            assert olga.get(f"{path}/{what}").status_code == 404


@pytest.fixture
def hostile(desk: Any) -> str:
    """The path of a mail that tries everything."""
    desk.deliver(HOSTILE.replace(b"%s", desk.id.encode()))
    desk.poll()
    (message,) = desk.messages()
    return f"/tickets/{desk.id}/{message.ticket}/{message.key}"


def test_hostile_html_has_nothing_left_that_runs_or_loads(hostile: str, olga: Any) -> None:
    answer = olga.get(f"{hostile}/page")
    body = answer.text.partition("<body>")[2].lower()
    assert "hello" in body
    for bad in (
        "<script",
        "onclick",
        "onload",
        "javascript:",
        "<form",
        "<meta",
        "<svg",
        "<base",
        "evil.example/css",
        "pixel.png",
        "evil.example/style",
    ):
        assert bad not in body, bad
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src data:;" in policy
    assert "script-src" not in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


def test_remote_images_come_only_when_asked_for(hostile: str, olga: Any) -> None:
    assert "1 image on other servers was not loaded" in olga.get(f"{hostile}/page").text
    answer = olga.get(f"{hostile}/page?images=remote")
    assert "https://evil.example/pixel.png" in answer.text
    assert "img-src data: https:;" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_subject_is_text_on_every_page(hostile: str, olga: Any) -> None:
    ticket = hostile.rpartition("/")[0]
    for path in (ticket, f"/tickets?mailbox={ticket.split('/')[2]}"):
        text = olga.get(path).text
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_an_attachment_is_saved_under_a_safe_name_and_never_opened(hostile: str, olga: Any) -> None:
    answer = olga.get(f"{hostile}/file?name=passwd.html")
    assert answer.status_code == 200
    assert b"alert(document.cookie)" in answer.data
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename=passwd.html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    for name in ("../../etc/passwd.html", "/etc/passwd", "", "passwd.html%00"):
        assert olga.get(f"{hostile}/file?name={name}").status_code == 404


def test_the_page_of_a_long_conversation_stays_small(desk: Any, olga: Any, mail: Callable[..., bytes]) -> None:
    parent = "<request-1@fabrikam.example>"
    desk.deliver(mail(1, body="x" * 3000))
    desk.deliver(*(mail(n, subject="Re: Request 1", body=f"{n} " * 1500, In_Reply_To=parent) for n in range(2, 60)))
    desk.poll()
    (found,) = desk.tickets()
    assert found.messages == 59
    assert len(olga.get(path_of(desk, found)).data) < 100_000
