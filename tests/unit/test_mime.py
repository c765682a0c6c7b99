"""Reading mail: what every mail becomes, and that no bytes break it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcloud.samples import samples
from ticket_engine.mime import Parsed, parse, split
from ticket_engine.mime import outline as module
from ticket_engine.records import MailClass, MessageKind

SAMPLES = {each.name: each.raw for each in samples()}


def storable(parsed: Parsed) -> None:
    """Every text that is stored of a mail is one that a table takes."""
    texts = [parsed.message_id, parsed.subject, parsed.sender_line, parsed.recipient_line, parsed.text, parsed.problem]
    for text in [*texts, parsed.attachment_names, parsed.reason_lines, *parsed.references]:
        text.encode()
        assert "\0" not in text


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
    assert (parsed.subject, parsed.sender_line) == (subject, sender)


def test_text_comes_from_the_text_part_or_from_html() -> None:
    assert parse(SAMPLES["04-iso-2022-jp"]).text.startswith("お世話になっております")
    assert "„dreimonatige Kündigungsfrist“" in parse(SAMPLES["05-windows-1252"]).text
    html = parse(SAMPLES["02-html-only"]).text
    assert "porte l'ancienne adresse" in html
    assert "margin" not in html


def test_attachments_are_listed_inline_images_too() -> None:
    listed = parse(SAMPLES["03-inline-image-and-attachment"]).attachments
    assert [(each.section, each.type, each.inline) for each in listed] == [
        ("1.2", "image/png", True),
        ("2", "application/pdf", False),
    ]


def test_automatic_mail_is_classified_with_its_reasons() -> None:
    away = parse(SAMPLES["08-out-of-office"]).classification
    assert away.kinds == (MailClass.AUTOMATIC,)
    assert "Auto-Submitted: auto-replied" in away.reasons
    assert MailClass.BOUNCE in parse(SAMPLES["09-bounce"]).classification.kinds
    assert not parse(b"Auto-Submitted: no\r\n\r\nby hand").automatic
    assert not parse(SAMPLES["01-plain-text"]).automatic


def test_references_come_nearest_first() -> None:
    raw = b"In-Reply-To: <c@x>\r\nReferences: <a@x>\r\n <b@x> <c@x>\r\n\r\n"
    assert parse(raw).references == ("<c@x>", "<b@x>", "<a@x>")


def test_the_nearest_references_are_found_behind_any_number_of_others() -> None:
    raw = b"References: " + b" ".join(b"<%d@x>" % n for n in range(50_000)) + b"\r\n\r\n"
    assert parse(raw).references[:2] == ("<49999@x>", "<49998@x>")


def test_a_date_that_is_none_is_left_out() -> None:
    assert parse(SAMPLES["11-broken-mime"]).sent_at is None
    assert parse(SAMPLES["01-plain-text"]).sent_at == datetime(2026, 11, 23, 8, 12, 40, tzinfo=UTC)


def test_a_mail_that_breaks_the_parser_is_unparsed_with_what_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(module, "structure", broken)
    parsed = parse(SAMPLES["01-plain-text"])
    assert parsed.kind is MessageKind.UNPARSED
    assert parsed.subject == "Badge reader at the north gate rejects every card"
    assert "RecursionError" in parsed.problem


@given(st.binary(max_size=2_000))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_the_parser_raise(raw: bytes) -> None:
    storable(parse(raw))


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=200, deadline=None)
def test_no_mutation_of_a_sample_makes_the_parser_raise(name: str, data: st.DataObject) -> None:
    raw = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    parsed = parse(bytes(raw))
    assert parsed.kind in set(MessageKind)
    storable(parsed)


def test_fields_are_bounded_whatever_the_mail_says() -> None:
    raw = b"Subject: " + b"x" * 10_000_000 + b"\r\nFrom: " + b"y" * 100_000 + b"\r\n\r\n" + b"z" * 100_000
    parsed = parse(raw)
    assert (len(parsed.subject), len(parsed.sender_line), len(parsed.text)) == (500, 0, 2_000)
    assert parsed.kind is MessageKind.UNPARSED, "a header of megabytes is read in part only, and that is said"


def test_header_and_body_split_at_the_first_blank_line_of_either_kind() -> None:
    assert split(b"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\n") == (10, 14)
    assert split(b"A: 1\n\nbody") == (4, 6)
    assert split(b"A: 1") == (4, 4)
    assert split(b"no header at all\r\n\r\nbody") == (0, 0)
    assert split(b"\nbody") == (0, 1)
