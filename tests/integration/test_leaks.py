"""No secret gets out: everything that works and everything that fails is run, and every place is searched."""

import base64
import json
import logging
import secrets
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import azure.functions as func
import pytest

import oauth_callback
import token_refresh
from devcloud.cloud import DevCloud
from ticket_engine import process
from ticket_engine.engine import Engine
from ticket_engine.errors import TicketEngineError
from ticket_engine.oauth.outcome import Started
from ticket_engine.settings import TABLES

Desks = Callable[..., Any]

# What speaks on the other side, in this same process: the browser and the stand-ins' web server.
_NOT_OURS = {"httpx", "httpcore", "uvicorn", "asyncio", "hpack"}
_HTTP_LIBRARIES = ("requests", "urllib3", "msal", "azure.core", "azure.identity")


def forms(secret: str) -> set[bytes]:
    """What a secret looks like where it got to: a long piece of it as it is, or anywhere within base 64."""
    # The end, because the beginning of a JWT is the same in all.
    piece = secret[-32:].encode()
    found = {piece, quote(piece.decode(), safe="").encode()}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + piece)
        found.add(encoded[4:-4])
    return found


@dataclass
class Watch(logging.Handler):
    """Collects whatever comes out of the app, and searches it."""

    cloud: DevCloud
    seen: dict[str, list[bytes]] = field(default_factory=dict)
    assertions: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    __hash__ = object.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] not in _NOT_OURS:
            self.note("logs", self.format(record), str(record.__dict__), repr(record.args))

    def note(self, place: str, *texts: str) -> None:
        self.seen.setdefault(place, []).extend(each.encode(errors="backslashreplace") for each in texts)

    def fails(self, call: Callable[[], object]) -> None:
        """Make a call that must fail, and note its error with everything that hangs on it."""
        with pytest.raises(TicketEngineError) as caught:
            call()
        error: BaseException | None = caught.value
        self.note("exceptions", *traceback.format_exception(caught.value, chain=True))
        chain: list[BaseException] = []
        while error is not None:
            assert error not in chain, "an error is not its own cause"
            chain.append(error)
            self.note("exceptions", str(error), repr(error), repr(vars(error)), repr(error.args))
            module = type(error).__module__
            assert not module.startswith(_HTTP_LIBRARIES), f"{module}: its request holds tokens"
            error = error.__cause__ or error.__context__

    def browse(self, function: Any, query: dict[str, str], route: dict[str, str], cookie: str = "") -> str:
        """Call an HTTP function as a browser does; notes the page, and returns where it redirects to."""
        headers = {"Cookie": cookie} if cookie else {}
        request = func.HttpRequest(
            "GET", "https://app.example/x", headers=headers, params=query, route_params=route, body=b""
        )
        response = function._function.get_user_function()(request)
        self.note("pages", response.get_body().decode())
        kept = {
            name: value for name, value in response.headers.items() if name.lower() not in {"set-cookie", "location"}
        }
        self.note("pages", str(kept))
        return str(response.headers.get("Location", ""))

    def store(self, engine: Engine) -> None:
        """Note what is in the tables and the blobs."""
        for table in TABLES:
            self.note("tables", *(str(each) for each in engine.clients.table(table).list_entities()))
        blobs = engine.clients.mail.list_blobs(include=["metadata", "tags"])
        self.note("blobs", *(f"{each.name} {each.metadata} {each.tags}" for each in blobs))

    def leaks(self, marked: list[str]) -> list[str]:
        """The places where one of the secrets was found."""
        texts = {place: b"\n".join(parts) for place, parts in self.seen.items()}
        return [
            f"{place}: {mark!r}"
            for secret in marked
            for mark in forms(secret)
            for place, text in texts.items()
            if mark in text
        ]


@pytest.fixture
def watch(cloud: DevCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watching = Watch(cloud)
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    process.engine.cache_clear()
    real = cloud.entra.grants.app_token

    def app_token(*arguments: Any) -> str:
        watching.assertions.append(real(*arguments))
        return watching.assertions[-1]

    monkeypatch.setattr(cloud.entra.grants, "app_token", app_token)
    loggers = [logging.getLogger(each) for each in ("", "azure", "msal", "urllib3", "requests", "ticket_engine", "jwt")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(watching)
    yield watching
    logging.getLogger().removeHandler(watching)
    for each, level in zip(loggers, before, strict=True):
        each.setLevel(level)
    process.engine.cache_clear()


def begin(desk: Any, watch: Watch) -> tuple[Started, dict[str, str]]:
    invite = desk.invite()
    started: Started = desk.engine.consent.start(desk.id, invite)
    watch.more += [invite, started.cookie_value]
    watch.note("reprs", repr(started))
    return started, desk.cloud_redirect(started.authorize_url)


def consent(desk: Any, watch: Watch, **changed: str) -> None:
    """A whole consent through the HTTP functions; ``changed`` are parameters of the callback."""
    started, parameters = begin(desk, watch)
    cookie = f"{started.cookie_name}={started.cookie_value}"
    watch.browse(oauth_callback.oauth_callback, {**parameters, **changed}, {}, cookie)


def refuse_consent(desk: Any, watch: Watch, fault: Callable[[], None] = lambda: None, **changed: str) -> None:
    """A consent that fails, once as an exception and once as a page."""
    started, parameters = begin(desk, watch)
    fault()
    cookies = {started.cookie_name: started.cookie_value}
    watch.fails(lambda: desk.engine.consent.finish({**parameters, **changed}, cookies))
    started, parameters = begin(desk, watch)
    fault()
    cookie = f"{started.cookie_name}={started.cookie_value}"
    watch.browse(oauth_callback.oauth_callback, {**parameters, **changed}, {}, cookie)
    desk.cloud.entra.faults.clear()
    desk.cloud.vault.faults.clear()


def echoing(answer: dict[str, Any]) -> dict[str, Any]:
    """An error whose description repeats the tokens."""
    return {"error": "invalid_grant", "error_description": f"AADSTS70000: {json.dumps(answer)}"}


def what_works(new_desk: Desks, watch: Watch, mail: Callable[..., bytes]) -> Any:
    """Consent, poll and rotation with every kind of credential; the mailbox with a client secret."""
    cloud = watch.cloud
    application = new_desk().application
    desk = new_desk(application, may_send=True)
    by_certificate = new_desk(credential="certificate", certificate_name="watched")
    by_certificate.application.certificates.append(cloud.vault.create_certificate("watched", pem=True))
    by_identity = new_desk(credential="managed identity")
    issuer = f"{cloud.entra.url}/{cloud.tenant.id}/v2.0"
    by_identity.application.federated.append((issuer, cloud.identity.principal_id))
    everyone = [desk, by_certificate, by_identity]

    # What works.
    for each in everyone:
        location = watch.browse(oauth_callback.oauth_consent, {"invite": each.invite()}, {"mailbox_id": each.id})
        assert location.startswith(cloud.entra.url)
        consent(each, watch)
        assert each.engine.stores.states.token(each.id).connected
        each.deliver(mail(1))
        assert each.poll().messages == 1
        each.engine.broker.rotate(each.mailbox)
        watch.note(
            "reprs", repr(each.engine.applications._credentials.of(each.mailbox)), repr(each.engine.broker._tokens)
        )
    token_refresh.token_refresh_mailbox._function.get_user_function()(
        func.QueueMessage(id="1", body=json.dumps({"mailbox": desk.id}))
    )
    desk.engine.connector.import_token(desk.id, desk.token_by_hand())
    desk.engine.broker.sending_token(desk.mailbox)
    return desk


def consents_that_fail(new_desk: Desks, desk: Any, watch: Watch) -> None:
    other = new_desk(desk.application)
    started, parameters = begin(desk, watch)
    watch.fails(lambda: desk.engine.consent.finish(parameters, {}))
    watch.fails(lambda: desk.engine.consent.finish(parameters, {started.cookie_name: started.cookie_value}))
    watch.browse(oauth_callback.oauth_consent, {"invite": "x"}, {"mailbox_id": desk.id})
    for account in (other.address, None):
        started = desk.engine.consent.start(desk.id, desk.invite())
        parameters = desk.cloud_redirect(started.authorize_url, account)
        cookie = f"{started.cookie_name}={started.cookie_value}"
        watch.browse(oauth_callback.oauth_callback, parameters, {}, cookie)
    refuse_consent(desk, watch, code="1.made-up")
    refuse_consent(desk, watch, error="invalid_request", error_description="<script>")
    vault, entra = watch.cloud.vault.faults, watch.cloud.entra.faults
    refuse_consent(desk, watch, lambda: entra.add("token", replace=echoing))
    refuse_consent(
        desk, watch, lambda: entra.add("token", replace=lambda answer: {**answer, "id_token": answer["access_token"]})
    )
    refuse_consent(desk, watch, lambda: entra.add("token", replace=lambda answer: {**answer, "expires_in": "soon"}))
    refuse_consent(desk, watch, lambda: entra.add("token", cut_after=900))
    refuse_consent(desk, watch, lambda: entra.add("token", status=500, body="no"))
    refuse_consent(desk, watch, lambda: vault.add("set", status=403, body="{}"))
    refuse_consent(new_desk(desk.application, port=watch.cloud.mail.imap_port), watch)


def tokens_that_can_not_be_had(new_desk: Desks, desk: Any, watch: Watch) -> None:
    cloud, application = watch.cloud, desk.application
    vault, entra = cloud.vault.faults, cloud.entra.faults
    other = new_desk(application)
    stored = desk.engine.stores.vault.refresh_token(desk.id).value
    echo = f"{stored} {application.client_secret}"
    for fault in (
        {"replace": echoing},
        {"cut_after": 900},
        {"status": 500, "body": echo},
        {"status": 200, "body": f"<html>{echo}"},
        {"status": 400, "body": json.dumps({"error": "invalid_client", "error_description": echo})},
        {"status": 429, "body": echo, "headers": {"Retry-After": "1"}},
    ):
        fresh = Engine(desk.engine.settings, cloud.clock)
        entra.add("token", times=3, **fault)
        watch.fails(lambda now=fresh: now.broker.rotate(desk.mailbox))  # type: ignore[misc]  # B023
        assert desk.poll(by=Engine(desk.engine.settings, cloud.clock)).failure is not None
        entra.clear()
        fresh.clients.table("Credentials").delete_entity(
            application.client_id, fresh.applications._credentials.of(desk.mailbox).fingerprint
        )
    for operation in ("get", "set"):
        fresh = Engine(desk.engine.settings, cloud.clock)
        vault.add(operation, status=403, body=json.dumps({"error": {"code": "Forbidden", "message": echo}}))
        watch.fails(lambda now=fresh: now.broker.rotate(desk.mailbox))  # type: ignore[misc]  # B023
        vault.clear()
    desk.engine.clients.secrets.set_secret(
        "watched-junk", "-----BEGIN PRIVATE KEY-----\njunk-that-is-secret-anyway-0123456789"
    )
    junk = new_desk(credential="certificate", certificate_name="watched-junk")
    watch.fails(lambda: junk.engine.applications.of(junk.mailbox))
    nobody = new_desk(credential="managed identity")
    watch.fails(nobody.connect)
    watch.fails(lambda: desk.engine.connector.import_token(desk.id, other.token_by_hand()))
    made_up = secrets.token_urlsafe(48)
    watch.more.append(made_up)
    watch.fails(lambda: desk.engine.connector.import_token(desk.id, made_up))

    # A mail server that refuses, and an owner who must consent again.
    desk.change(username=other.address)
    desk.engine.stores.states.update_token(desk.id, lambda state: _connected_as(state, other.address))
    assert desk.poll(by=Engine(desk.engine.settings, cloud.clock)).failure is not None
    cloud.entra.revoke_sessions(desk.user)
    watch.fails(lambda: Engine(desk.engine.settings, cloud.clock).broker.rotate(desk.mailbox))


def test_no_secret_is_in_a_table_a_blobs_name_a_log_an_exception_a_page_or_the_journal(
    new_desk: Desks, cloud: DevCloud, watch: Watch, mail: Callable[..., bytes]
) -> None:
    issued = len(cloud.entra.grants.issued)
    desk = what_works(new_desk, watch, mail)
    consents_that_fail(new_desk, desk, watch)
    tokens_that_can_not_be_had(new_desk, desk, watch)
    watch.store(desk.engine)
    watch.note("health", repr(desk.engine.health.mailboxes()))
    marked = [*cloud.entra.grants.issued[issued:], *cloud.entra.grants.codes, *watch.assertions, *watch.more]
    marked += [each.value for each in desk.application.secrets]
    marked += [
        each.value for name, versions in cloud.vault.secrets.live.items() for each in versions if "watched" in name
    ]
    assert len(marked) > 100
    assert {"logs", "tables", "blobs", "exceptions", "pages", "health", "reprs"} <= set(watch.seen)
    assert any(b"Request URL" in each for each in watch.seen["logs"]), "the SDKs' own logs are among them"
    assert watch.leaks(marked) == []


def _connected_as(state: Any, account: str) -> Any:
    from dataclasses import replace

    return replace(state, connected_as=account)


def test_the_search_finds_a_secret_wherever_it_got_to(watch: Watch, engine: Engine) -> None:
    secret = "1.a-secret-of-some-length-0123456789-abcdefghijklmnop"
    logging.getLogger("azure.core").debug("the token is %s", secret)
    assert [each.partition(":")[0] for each in watch.leaks([secret])] == ["logs"]
    watch.seen.clear()
    blob = base64.b64encode(f"user=a@b\x01auth=Bearer {secret}\x01\x01".encode()).decode()
    watch.note("pages", blob)
    assert {each.partition(":")[0] for each in watch.leaks([secret])} == {"pages"}
    watch.seen.clear()
    row = {"PartitionKey": "leak", "RowKey": "leak", "note": secret}
    table = engine.clients.table("Journal")
    table.upsert_entity(row)
    watch.store(engine)
    table.delete_entity("leak", "leak")
    assert {each.partition(":")[0] for each in watch.leaks([secret])} == {"tables"}


def test_an_error_that_carries_its_request_is_noticed(watch: Watch) -> None:
    def leak() -> None:
        raise TicketEngineError(_reaction()) from httpx_like()

    with pytest.raises(AssertionError, match="its request holds tokens"):
        watch.fails(leak)


def httpx_like() -> Exception:
    import requests

    return requests.ConnectionError("x")


def _reaction() -> Any:
    from ticket_engine.oauth import reactions

    return reactions.unreachable()
