"""Reading, recognising and paging mails: values in, values out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcloud.samples import samples
from ticket_engine.intake.checkpoint import Checkpoint
from ticket_engine.intake.commit import Incoming, archive_name, zipped
from ticket_engine.intake.fingerprint import message_key
from ticket_engine.intake.parse import parse, split
from ticket_engine.intake.poll import PAGE_BYTES, PAGE_MESSAGES, backoff, pages
from ticket_engine.mail import Item
from ticket_engine.records import MessageKind

SAMPLES = {each.name: each.raw for each in samples()}


def items(count: int, size: int = 100) -> list[Item]:
    return [Item(f"uidl-{n}", n, size) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("name", "subject", "sender"),
    [
        ("02-html-only", "Facture n° 2026-0873 à corriger", "Aurélie Fontaine <aurelie@adatum.example>"),
        ("04-iso-2022-jp", "プリンターが動きません", "佐藤 花子 <hanako.sato@northwind.example>"),
        ("05-windows-1252", "Kündigung des Wartungsvertrags – Rückfrage", "Jürgen Groß <j.gross@wingtip.example>"),
        ("11-broken-mime", "Stappel der Bestellungen=ZZ äöü", "legacy-erp@fourthcoffee.example"),
    ],
)
def test_headers_are_read_in_every_encoding(name: str, subject: str, sender: str) -> None:
    parsed = parse(SAMPLES[name])
    assert (parsed.subject, parsed.sender) == (subject, sender)


def test_text_comes_from_the_text_part_or_from_html() -> None:
    assert parse(SAMPLES["04-iso-2022-jp"]).text.startswith("お世話になっております")
    assert "„dreimonatige Kündigungsfrist“" in parse(SAMPLES["05-windows-1252"]).text
    html = parse(SAMPLES["02-html-only"]).text
    assert "porte l'ancienne adresse" in html
    assert "margin" not in html


def test_attachments_are_counted_inline_images_too() -> None:
    assert parse(SAMPLES["03-inline-image-and-attachment"]).attachments == 2


def test_automatic_mail_is_marked_with_its_reason() -> None:
    assert parse(SAMPLES["08-out-of-office"]).automatic == "Auto-Submitted: auto-replied"
    assert parse(SAMPLES["09-bounce"]).automatic
    assert parse(b"Auto-Submitted: no\r\n\r\nby hand").automatic == ""
    assert parse(SAMPLES["01-plain-text"]).automatic == ""


def test_references_come_nearest_first() -> None:
    raw = b"In-Reply-To: <c@x>\r\nReferences: <a@x>\r\n <b@x> <c@x>\r\n\r\n"
    assert parse(raw).references == ("<c@x>", "<b@x>", "<a@x>")


def test_a_date_that_is_none_is_left_out() -> None:
    assert parse(SAMPLES["11-broken-mime"]).sent_at is None
    assert parse(SAMPLES["01-plain-text"]).sent_at == datetime(2026, 11, 23, 8, 12, 40, tzinfo=UTC)


def test_a_mail_that_breaks_the_parser_is_unparsed_with_what_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import email

    def broken(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(email, "message_from_bytes", broken)
    parsed = parse(SAMPLES["01-plain-text"])
    assert parsed.kind is MessageKind.UNPARSED
    assert parsed.subject == "Badge reader at the north gate rejects every card"
    assert "RecursionError" in parsed.problem


@given(st.binary(max_size=2_000))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_the_parser_raise(raw: bytes) -> None:
    parsed = parse(raw)
    parsed.subject.encode()
    parsed.text.encode()
    parsed.sender.encode()


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=200, deadline=None)
def test_no_mutation_of_a_sample_makes_the_parser_raise(name: str, data: st.DataObject) -> None:
    raw = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    parsed = parse(bytes(raw))
    assert parsed.kind in set(MessageKind)
    for text in (parsed.subject, parsed.text, parsed.sender, parsed.recipients, parsed.automatic):
        text.encode()


def test_fields_are_bounded_whatever_the_mail_says() -> None:
    raw = b"Subject: " + b"x" * 10_000_000 + b"\r\nFrom: " + b"y" * 100_000 + b"\r\n\r\n" + b"z" * 100_000
    parsed = parse(raw)
    assert (len(parsed.subject), len(parsed.sender), len(parsed.text)) == (500, 1_000, 2_000)


def test_the_key_ignores_how_lines_end_and_sees_any_other_difference() -> None:
    identity = (b"date", b"from", b"subject")
    key = message_key("<a@x>", identity, b"one\r\ntwo\r\n")
    assert key == message_key("<a@x>", identity, b"one\ntwo")
    others = [
        message_key("<b@x>", identity, b"one\ntwo"),
        message_key("<a@x>", (b"date", b"from", b"other"), b"one\ntwo"),
        message_key("<a@x>", identity, b"one\nthree"),
        message_key("", identity, b"one\ntwo"),
    ]
    assert len({key, *others}) == 5
    assert key.startswith(others[2].partition("-")[0])


def test_header_and_body_split_at_the_first_blank_line_of_either_kind() -> None:
    assert split(b"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\n") == (b"A: 1\r\nB: 2", b"body\r\n\r\n")
    assert split(b"A: 1\n\nbody") == (b"A: 1", b"body")
    assert split(b"A: 1") == (b"A: 1", b"")


def test_a_checkpoint_knows_what_is_done_in_whatever_order_the_server_lists() -> None:
    listed = items(5)
    checkpoint = Checkpoint().with_done(listed[:2], kept=listed[2:3])
    again = Checkpoint.decode(checkpoint.encode())
    assert again == checkpoint
    renumbered = [Item(each.id, 6 - each.number, 1) for each in reversed(listed)]
    assert [each.id for each in again.new(renumbered)] == ["uidl-5", "uidl-4"]
    assert [each.id for each in again.to_settle(renumbered)] == ["uidl-2", "uidl-1"]
    assert again.still_listed(listed[:1]) == Checkpoint().with_done(listed[:1])


def test_a_checkpoint_of_another_release_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="does not know a checkpoint"):
        Checkpoint.decode(b"Z9whatever")


def test_pages_are_bounded_by_count_and_size() -> None:
    assert [len(page) for page in pages(items(250), 10**9)] == [PAGE_MESSAGES, PAGE_MESSAGES, 250 - 2 * PAGE_MESSAGES]
    large = items(3, PAGE_BYTES // 2 + 1)
    assert [len(page) for page in pages(large, 10**9)] == [1, 1, 1]
    assert [len(page) for page in pages(large, 1_000)] == [3], "what is not fetched weighs nothing"
    assert list(pages([], 1)) == []


def test_the_wait_after_failures_doubles_up_to_an_hour() -> None:
    assert [backoff(n) for n in (1, 2, 3)] == [timedelta(minutes=n) for n in (1, 2, 4)]
    assert backoff(50) == timedelta(hours=1)


def test_the_same_page_is_the_same_archive_and_another_page_is_another_one() -> None:
    page = {name: Incoming(Item(name, 1, 1), raw, parse(raw)) for name, raw in SAMPLES.items()}
    assert zipped(page) == zipped(page)
    fewer = list(page)[:-1]
    assert archive_name(list(page)) != archive_name(fewer)
