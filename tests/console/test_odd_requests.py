"""Requests that no page of the console makes: each gets a plain answer, and nothing breaks."""

from typing import Any
from urllib.parse import quote

import pytest

ODD = ["a#b", "a?b", "a\\b", "..", "a'b or 1 eq 1", "\x00", "\x1f", "é", "%", "M" * 3000, "<script>", "T0", " "]
PLACES = [
    "/mailboxes/{}",
    "/mailboxes/{}/edit",
    "/mailboxes/{}/remove",
    "/ticket-types/{}",
    "/tickets/{}",
    "/tickets/{}/000000000000",
    "/tickets/support/{}",
    "/tickets/support/000000000000/{}/raw",
    "/tickets/support/000000000000/M{}/page",
    "/tickets/support/{}/raw",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_path_of_any_characters_is_not_found(olga: Any, place: str) -> None:
    for odd in ODD:
        answer = olga.get(place.format(quote(odd, safe="")))
        assert answer.status_code in {404, 308}, (odd, answer.status_code)


@pytest.mark.parametrize("odd", ODD)
def test_a_query_of_any_characters_gets_a_page(olga: Any, odd: str) -> None:
    value = quote(odd, safe="")
    for path in ("?q={}&light={}&page={}", "/mailboxes?q={}&page={}", "/ticket-types?q={}", "/mailboxes/add?like={}"):
        assert olga.get(path.replace("{}", value)).status_code in {200, 404}
    for name in ("text", "sender", "assignee", "mailbox", "ticket_type", "state", "since", "until", "after"):
        assert olga.get(f"/tickets?{name}={value}").status_code in {200, 422}, name


@pytest.mark.parametrize("odd", ODD)
def test_a_form_of_any_characters_changes_nothing(olga: Any, odd: str) -> None:
    for path, values in (
        ("/tickets", {"ticket": [odd, f"support/{odd}", f"{odd}/{odd}"]}),
        ("/quarantine", {"mailbox": odd, "item": odd}),
        ("/quarantine", {"do": "replay", "ticket": f"{odd}/{odd}"}),
        ("/ticket-types", {"type": odd}),
        ("/mailboxes/nowhere", {"do": odd}),
        ("/tickets/support/000000000000", {"do": "save", "state": odd, "assignee": odd, "etag": odd}),
    ):
        assert olga.post(path, values).status_code < 500, (path, values)


def test_a_form_that_is_too_large_is_refused(olga: Any) -> None:
    answer = olga.post("/tickets", {"ticket": ["x" * 1000] * 600})
    assert answer.status_code in {400, 413}
    assert "This request can't be answered" in answer.text


def test_the_static_folder_has_no_way_out(olga: Any) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert olga.get(path).status_code in {404, 308}
