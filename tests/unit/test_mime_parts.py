"""Parts of mails: our tree beside the standard library's, Outlook's rich text, invitations, names, addresses."""

import email
import email.policy
from collections.abc import Iterator
from email.message import Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket_engine.mime import display, extract, parse, read, split_quoted
from ticket_engine.mime import reading as module
from ticket_engine.mime.attachments import safe_name
from ticket_engine.mime.headers import Headers, split
from ticket_engine.mime.rtf import rtf_to_text
from ticket_engine.mime.structure import Limits, Part, structure

QUOTING = ["On 1 May, Ada wrote:", "> quoted", "text", "", "From: A", "Sent: B", "To: C", "-----Original Message-----"]
LEAVES = st.tuples(
    st.sampled_from(["text/plain", "text/html", "image/png", "application/pdf"]),
    st.sampled_from(["7bit", "base64", "quoted-printable"]),
    st.text(alphabet="abc =\n-", max_size=60),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(["mixed", "alternative"]), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def written(tree: object, numbers: Iterator[int]) -> str:
    if isinstance(tree, tuple) and isinstance(tree[1], list):
        boundary = f"=_{next(numbers)}_b"
        parts = "".join(f"--{boundary}\r\n{written(each, numbers)}\r\n" for each in tree[1])
        return f"Content-Type: multipart/{tree[0]}; boundary={boundary}\r\n\r\n{parts}--{boundary}--\r\n"
    assert isinstance(tree, tuple)
    kind, encoding, body = tree
    lines = body.replace("\n", "\r\n")
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{lines}"


def ours(part: Part, raw: bytes) -> object:
    if part.children:
        return part.type, [ours(each, raw) for each in part.children]
    return part.type, raw[part.start : part.end]


def theirs(part: Message) -> object:
    payload = part.get_payload()
    if isinstance(payload, list):
        return part.get_content_type(), [theirs(each) for each in payload if isinstance(each, Message)]
    return part.get_content_type(), str(payload).encode("ascii", "surrogateescape")


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_the_tree_of_a_well_formed_mail_is_the_standard_library_s(tree: object) -> None:
    raw = f"From: a@x.example\r\n{written(tree, iter(range(1_000)))}".encode()
    stop, start = split(raw)
    mine = structure(raw, Headers(raw[:stop]), start, Limits())
    assert ours(mine, raw) == theirs(email.message_from_bytes(raw, policy=email.policy.compat32))


def test_html_that_outlook_wrapped_into_rich_text_is_read_as_html() -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Gr\'fc\'dfe &"
        rb" more{\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0{\*\htmltag116 <br>}\htmlrtf \line\htmlrtf0 \u8364?5}"
    )
    assert rtf_to_text(rtf) == "Grüße & more\n\n€5"


def test_rich_text_of_many_code_pages_is_read() -> None:
    assert rtf_to_text(rb"{\rtf1\ansicpg932 \'83\'76\'83\'8a}") == "プリ"
    assert rtf_to_text(rb"{\rtf1{\fonttbl{\f0 Arial;}}a\tab b\par c\~d \{x\}\uc2\u228??!}") == "a\tb\nc\xa0d {x}ä!"
    assert rtf_to_text(b"no rich text") == "no rich text"


@given(st.text(max_size=400))
@settings(max_examples=300, deadline=None)
def test_a_safe_name_is_safe_on_every_file_system(name: str) -> None:
    safe = safe_name(name)
    assert len(safe) <= 120
    assert len(safe.encode()) <= 240
    assert not set(safe) & set('<>:"/\\|?*\0\r\n')
    assert safe not in {".", ".."}
    assert safe == safe.strip()
    assert not safe.endswith(".")
    assert safe_name(safe) == safe


@given(st.lists(st.sampled_from(QUOTING)))
@settings(max_examples=300, deadline=None)
def test_new_and_quoted_text_are_all_of_the_text(lines: list[str]) -> None:
    text = "\n".join(lines)
    answer = split_quoted(text)
    assert f"{answer.new}\n{answer.quoted}".split() == text.split()
    assert answer.new.strip() or not text.strip()


def test_html_that_breaks_its_reader_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(module, "html_source", broken)
    shown = display(b"From: a@x.example\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>", lambda each: each.section)
    assert "Hi</pre>" in shown.html
    assert shown.warnings


def test_an_attachment_that_is_not_there_is_told() -> None:
    with pytest.raises(module.NoSuchPartError, match="no attachment '9'"):
        extract(b"From: a@x.example\r\n\r\nHello", "9")


def test_a_mail_is_read_the_same_when_it_is_parsed_and_when_it_is_read() -> None:
    raw = b"From: a@x.example\r\nSubject: Hi\r\n\r\nHello\r\n"
    assert read(raw).parsed == parse(raw)
