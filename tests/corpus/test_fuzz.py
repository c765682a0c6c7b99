"""Mutated and random mails: no uncaught exception, every one a ticket, none that takes long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus.generate import FOLDER
from tests.corpus.limits import TooSlowError, processor_time
from tests.corpus.mutations import mutations
from tests.corpus.ticketed import becomes_a_ticket

MAILS = [path.read_bytes() for path in sorted(FOLDER.glob("*/*.eml"))]
A_RUN = 500
SHORT, LONG = range(4), range(4, 100)


def fuzz(seed: int) -> None:
    for number, raw in enumerate(mutations(MAILS, seed, A_RUN)):
        try:
            with processor_time():
                becomes_a_ticket(raw)
        except (Exception, TooSlowError) as error:
            raise AssertionError(f"seed {seed}, mail {number}: {error!r}\n{raw[:2_000]!r}") from error


@pytest.mark.parametrize("seed", SHORT)
def test_every_mutated_mail_becomes_a_ticket(seed: int) -> None:
    fuzz(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG)
def test_every_one_of_fifty_thousand_mutated_mails_becomes_a_ticket(seed: int) -> None:
    fuzz(seed)


@given(st.binary(max_size=4_000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_become_a_ticket(raw: bytes) -> None:
    becomes_a_ticket(raw)


_LINES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("From", "To", "Cc", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "Content-Type"),
                *("Content-Disposition", "Content-ID", "Content-Transfer-Encoding", "Auto-Submitted", "Precedence"),
                *("X-Forefront-Antispam-Report", "Return-Path"),
            ]
        ),
        st.text(max_size=100),
    ),
    max_size=12,
)


@given(_LINES, st.text(max_size=1_000), st.sampled_from(["utf-8", "utf-16", "latin-1", "cp932", "utf-7"]))
@settings(max_examples=300, deadline=None)
def test_any_text_in_any_header_becomes_a_ticket(lines: list[tuple[str, str]], body: str, charset: str) -> None:
    header = "".join(f"{name}: {value}\r\n" for name, value in lines)
    becomes_a_ticket(f"{header}\r\n{body}".encode(charset, "replace"))


@given(st.text(alphabet="<>/=!-ab \"'&;#xdivspantable", max_size=2_000))
@settings(max_examples=200, deadline=None)
def test_any_html_becomes_a_ticket(html: str) -> None:
    becomes_a_ticket(b"From: a@x.example\r\nContent-Type: text/html\r\n\r\n" + html.encode())
