"""The set-up as a file: what it says is made so, once, and what is wrong with it is said before anything changes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from devcloud.cloud import DevCloud
from ticket_engine.cli.app import app
from ticket_engine.operations.setup_file import SCHEMA_URL, as_file, schema
from ticket_engine.records import Mailbox, RecordError, TicketType

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cloud() -> Iterator[DevCloud]:
    """A cloud of its own: what is exported is the whole system, and other tests leave records that no file may say."""
    with DevCloud() as running:
        running.join()
        yield running


@pytest.fixture
def run(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, given="": CliRunner().invoke(app, arguments, input=given)


def content(desk: Any, **changes: Any) -> dict[str, Any]:
    """A file with one mailbox and one ticket type that are not there yet."""
    name = f"{desk.id}-file"
    record = desk.mailbox
    mailbox = {
        "id": name,
        "name": "From a file",
        "username": f"{name}@contoso.example",
        **{field: getattr(record, field) for field in ("tenant_id", "client_id", "redirect_url")},
        **changes,
    }
    ticket_type = {"id": name, "name": "Requests", "mailbox": name, "admin_email": "lead@contoso.example"}
    return {"mailboxes": [mailbox], "ticket_types": [ticket_type]}


def test_a_file_creates_then_changes_and_then_has_nothing_to_do(desk: Any, run: Run) -> None:
    said = content(desk)
    name = said["mailboxes"][0]["id"]
    shown = run("apply", "-", "--check", given=yaml.safe_dump(said))
    assert shown.exit_code == 1
    assert f"+ mailbox {name}" in shown.stdout
    assert f"+ ticket type {name}" in shown.stdout
    assert name not in [each.id for each in desk.engine.stores.mailboxes.all()]

    assert "add --yes" in run("apply", "-", given=yaml.safe_dump(said)).stderr
    made = run("apply", "-", "--yes", given=yaml.safe_dump(said))
    assert made.exit_code == 0, made.output
    assert f"Next: ticket-engine mailbox set-secret {name}" in made.stderr
    assert desk.engine.stores.mailboxes.get(name).port == 995

    again = run("apply", "-", "--yes", given=yaml.safe_dump(said))
    assert (again.exit_code, again.stdout) == (0, "")
    assert "Nothing to change" in again.stderr

    said["mailboxes"][0] |= {"type": "IMAP - OAuth", "paused": True}
    changed = run("apply", "-", "--yes", given=yaml.safe_dump(said))
    assert f"~ mailbox {name}" in changed.stdout
    assert "type: POP3 - OAuth -> IMAP - OAuth" in changed.stdout
    assert "port: 995 -> 993" in changed.stdout
    assert run("apply", "-", "--check", given=yaml.safe_dump(said)).exit_code == 0
    events = [each.event for each in desk.engine.mailbox_setup.journal(name)]
    assert events == ["edited", "ticket-type-added", "added"]


def test_what_the_file_does_not_name_stays(desk: Any, run: Run) -> None:
    said = content(desk)
    run("apply", "-", "--yes", given=yaml.safe_dump(said))
    name = said["mailboxes"][0]["id"]
    desk.engine.mailbox_setup.pause(name, by="ada")
    assert run("apply", "-", "--check", given=yaml.safe_dump(said)).exit_code == 0
    assert desk.engine.stores.mailboxes.get(name).paused
    assert desk.mailbox.id in [each.id for each in desk.engine.stores.mailboxes.all()]


def test_an_export_is_a_file_that_changes_nothing(desk: Any, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.yaml"
    done = run("export", "-o", str(path))
    assert done.exit_code == 0
    text = path.read_text()
    assert run("export").stdout == text
    said = yaml.safe_load(text)
    jsonschema.validate(said, schema())
    assert desk.id in [each["id"] for each in said["mailboxes"]]
    checked = run("apply", str(path), "--check")
    assert checked.exit_code == 0, checked.output
    secret = desk.engine.stores.vault.client_secret(desk.id).value
    token = desk.engine.stores.vault.refresh_token(desk.id).value
    assert secret not in text
    assert token not in text
    assert json.loads(run("export", "--json").stdout) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mailboxes: [", "line 1, column"),
        ("mailbox: []", "it takes the lists 'mailboxes' and 'ticket_types'"),
        ("- a\n- b\n", "it takes the lists"),
        ("mailboxes: support", "mailboxes takes a list of entries"),
        ("mailboxes: [{id: a b}]", "mailboxes, entry 1 (a b): id takes lower-case letters"),
        ("mailboxes: [{id: x}]", "mailboxes, entry 1 (x): username is missing"),
        ("mailboxes: [{id: x, client_secret: s}]", "secrets are never in the file"),
        ("mailboxes: [{id: x, colour: red}]", "colour: there is no such field"),
        ("mailboxes: [{id: x}, {id: x}]", "twice: x"),
        (
            "ticket_types: [{id: y, name: Y, mailbox: nowhere, admin_email: a@b.example}]",
            "mailbox 'nowhere' is neither there nor in the file",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(run: Run, text: str, said: str) -> None:
    result = run("apply", "-", "--yes", given=text)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there_or_no_text_is_told(run: Run, tmp_path: Path) -> None:
    assert "No such file" in run("apply", str(tmp_path / "nowhere.yaml")).stderr
    (tmp_path / "image.yaml").write_bytes(b"\xff\xd8\xff\x00")
    result = run("apply", str(tmp_path / "image.yaml"))
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_everything_wrong_is_said_before_anything_is_changed(desk: Any) -> None:
    said = content(desk)
    said["ticket_types"][0]["admin_email"] = "nobody"
    said["mailboxes"].append({**said["mailboxes"][0], "id": "UPPER CASE", "port": 0})
    with pytest.raises(RecordError) as caught:
        desk.engine.setup_file.plan(said)
    assert len(caught.value.problems) == 3


def test_the_published_schema_takes_what_the_records_take() -> None:
    published = json.loads((ROOT / "docs/mailboxes.schema.json").read_text())
    assert published["$schema"] == SCHEMA_URL
    jsonschema.Draft202012Validator.check_schema(published)
    mailbox = Mailbox.create(
        id="support",
        name="Support",
        type="IMAP - OAuth",
        username="support@contoso.example",
        tenant_id="contoso.example",
        client_id="11111111-2222-3333-4444-555555555555",
        redirect_url="https://x.example/api/oauth/callback",
        shared_mailbox=True,
        delegate="ada@contoso.example",
    )
    ticket_type = TicketType.create(id="s", name="S", mailbox="support", admin_email="a@contoso.example")
    said = as_file([mailbox], [ticket_type])
    jsonschema.validate(said, published)
    for wrong in ({"port": "many"}, {"type": "SMTP"}, {"client_secret": "x"}, {"id": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"mailboxes": [{**said["mailboxes"][0], **wrong}]}, published)
