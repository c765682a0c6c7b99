"""Every mail of the corpus is read as its expectation says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.generate import FOLDER, files
from ticket_engine.mime import Attachment, Content, display, extract, read

MAILS = sorted(FOLDER.glob("*/*.eml"))


def inline(attachment: Attachment) -> str:
    return f"/inline/{attachment.section}"


# What an expectation may name, and how it is read from the mail.
FOUND: dict[str, Callable[[Content, bytes], Any]] = {
    "kind": lambda mail, _: mail.parsed.kind.value,
    "problem": lambda mail, _: mail.parsed.problem,
    "subject": lambda mail, _: mail.parsed.subject,
    "sender": lambda mail, _: mail.parsed.sender_line,
    "sender_address": lambda mail, _: mail.parsed.sender.address,
    "recipients": lambda mail, _: [each.address for each in mail.parsed.recipients],
    "addressed": lambda mail, _: sorted(mail.parsed.addressed),
    "sent_at": lambda mail, _: mail.parsed.sent_at and mail.parsed.sent_at.isoformat(),
    "message_id": lambda mail, _: mail.parsed.message_id,
    "references": lambda mail, _: list(mail.parsed.references),
    "forged": lambda mail, _: mail.parsed.forged,
    "text": lambda mail, _: mail.answer.new,
    "quoted": lambda mail, _: mail.answer.quoted,
    "names": lambda mail, _: [each.name for each in mail.parsed.attachments],
    "files": lambda mail, _: [[each.name, each.type, each.size, each.section] for each in mail.parsed.attachments],
    "events": lambda mail, _: list(map(str, mail.events)),
    "classes": lambda mail, _: [each.value for each in mail.parsed.classification.kinds],
    "protection": lambda mail, _: mail.parsed.protection,
    "remote": lambda _, raw: display(raw, inline).remote,
}


def holds(name: str, expected: Any, mail: Content, raw: bytes) -> bool:
    if name == "reason":
        return expected in mail.parsed.classification.reasons
    if name == "report":
        report = mail.parsed.report
        return report is not None and expected.items() <= {**vars(report), "recipients": [*report.recipients]}.items()
    shown = display(raw, inline)
    if name == "shows":
        return expected in shown.html
    if name == "hides":
        return not any(each in shown.html for each in expected)
    return shown.warnings == ((expected,) if expected else ())


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_of_the_corpus_is_read_as_expected(path: Path) -> None:
    raw = path.read_bytes()
    expected = json.loads(path.with_suffix(".json").read_bytes())
    mail = read(raw)
    known = {name: value for name, value in expected.items() if name in FOUND}
    assert {name: FOUND[name](mail, raw) for name in known} == known
    for name in expected.keys() - known.keys():
        assert name in {"reason", "report", "shows", "hides", "warns"}
        assert holds(name, expected[name], mail, raw), (name, mail.parsed, display(raw, inline))


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_what_is_stored_of_a_mail_begins_what_a_reader_sees(path: Path) -> None:
    mail = read(path.read_bytes())
    assert mail.answer.new.startswith(mail.parsed.text)


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_every_attachment_can_be_read_out_of_the_raw_mail(path: Path) -> None:
    raw = path.read_bytes()
    for attachment in read(raw).parsed.attachments:
        found, content = extract(raw, attachment.section)
        assert found == attachment
        assert len(content) == attachment.size
        assert 0 <= attachment.start <= attachment.end <= len(raw)


def test_the_files_are_what_the_cases_say() -> None:
    on_disk = {path: path.read_bytes() for path in FOLDER.glob("*/*")}
    assert on_disk == dict(files()), "run python -m tests.corpus.generate"


def test_the_corpus_is_large_enough() -> None:
    assert len(MAILS) >= 150
