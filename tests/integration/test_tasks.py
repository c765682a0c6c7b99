"""Webhooks and notifications, delivered to a real HTTPS server and a real mail submission server."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Receiver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devcloud.cloud import DevCloud
from devcloud.serving import Server
from ticket_engine.engine import Engine
from ticket_engine.errors import Actor
from ticket_engine.records import Task
from ticket_engine.tasks import delivery as delivery_module
from ticket_engine.tasks.delivery import MAX_ATTEMPTS

Mail = Callable[..., bytes]
Desks = Callable[..., Any]


class KilledError(BaseException):
    """The process dies here."""


@dataclass
class Hook:
    """A receiver of webhooks: what it got, and what it answers (200 when nothing is left)."""

    url: str = ""
    posts: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.posts.append((await request.body(), dict(request.headers)))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers in self.posts]


@pytest.fixture
def hook(cloud: DevCloud) -> Iterator[Hook]:
    made = Hook()
    running = Server(Starlette(routes=[Route("/in", made.take, methods=["POST"])]), cloud.certificates.tls)
    made.url = f"https://localhost:{running.port}/in?from=desk"
    yield made
    running.stop()


@pytest.fixture
def webhook(desk: Any, hook: Hook) -> str:
    """The desk's ticket type posts to the hook; its signing secret."""
    setup = desk.engine.ticket_type_setup
    setup.edit(desk.id, {"task": Task.WEBHOOK, "webhook_url": hook.url}, by="Olga")
    return str(setup.new_webhook_secret(desk.id, by="Olga"))


@pytest.fixture
def notified(new_desk: Desks) -> Any:
    """A desk whose admin gets mail."""
    made = new_desk(may_send=True)
    made.connect()
    made.engine.ticket_type_setup.edit(made.id, {"task": Task.NOTIFY}, by="Olga")
    return made


def later(desk: Any, **delta: int) -> Engine:
    """Another instance, some time later."""
    return Engine(desk.engine.settings, lambda: desk.cloud.clock() + timedelta(**delta))


def deliver(desk: Any, engine: Engine | None = None) -> Any:
    """What the timer and the queue do."""
    engine = engine or desk.engine
    assert desk.id in engine.outbox.due()
    return engine.outbox.run(desk.id)


def test_each_new_message_is_posted_once_and_a_receivers_library_accepts_its_signature(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    desk.deliver(mail(1, subject="Grüße"), mail(2, In_Reply_To="<request-1@fabrikam.example>"))
    desk.poll()
    assert deliver(desk).done == 2
    assert desk.id not in desk.engine.outbox.due()
    assert desk.engine.outbox.run(desk.id).done == 0
    assert sorted(hook.ids) == sorted(each.key for each in desk.messages())
    bodies = [Receiver(webhook).verify(body, headers) for body, headers in hook.posts]
    first = next(each["data"] for each in bodies if each["data"]["message"]["first"])
    (ticket,) = desk.tickets()
    assert first["ticket"]["id"] == ticket.id
    assert first["ticket"]["link"] == f"{desk.cloud.app_url}/api/console/tickets/{desk.id}/{ticket.id}"
    assert (first["message"]["subject"], first["message"]["text"]) == ("Grüße", "Body of request 1")


def test_a_body_that_was_changed_on_the_way_does_not_match_its_signature(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    from standardwebhooks import WebhookVerificationError

    desk.deliver(mail(1))
    desk.poll()
    deliver(desk)
    ((body, headers),) = hook.posts
    for wrong in (body.replace(b"ada", b"eve"), b"{}"):
        with pytest.raises(WebhookVerificationError):
            Receiver(webhook).verify(wrong, headers)
    assert webhook.encode() not in body
    assert webhook not in json.dumps(headers)


def test_a_receiver_that_fails_gets_the_message_again_after_a_wait_with_the_same_id(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    assert webhook
    hook.answers = [500, 302]
    desk.deliver(mail(1))
    desk.poll()
    assert deliver(desk).failed == 1
    assert desk.id not in desk.engine.outbox.due()
    assert deliver(desk, later(desk, minutes=2)).failed == 1
    assert desk.id not in later(desk, minutes=3).outbox.due()
    assert deliver(desk, later(desk, minutes=5)).done == 1
    assert len(set(hook.ids)) == 1
    assert len(hook.ids) == 3
    (entry,) = [each for each in desk.engine.stores.journal.newest(desk.id) if each.event == "delivery-failed"]
    assert "answered HTTP 500" in entry.sentence


def test_a_message_that_is_refused_again_and_again_becomes_a_dead_letter_that_can_be_retried(
    desk: Any, mail: Mail, hook: Hook, webhook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook
    monkeypatch.setattr(delivery_module, "MAX_ATTEMPTS", 3)
    hook.answers = [503] * 3
    desk.deliver(mail(1))
    desk.poll()
    results = [deliver(desk, later(desk, hours=hours)) for hours in (0, 1, 2)]
    assert [(each.failed, each.dead) for each in results] == [(1, 0), (1, 0), (0, 1)]
    assert desk.id not in later(desk, days=9).outbox.due()
    (dead,) = desk.engine.outbox.dead(desk.id)
    assert (dead.attempts, "HTTP 503" in dead.problem) == (3, True)
    events = [each.event for each in desk.engine.stores.journal.newest(desk.id)]
    assert events[0] == "delivery-given-up"
    assert desk.engine.outbox.retry(desk.id, by="Olga") == 1
    assert deliver(desk).done == 1
    assert desk.engine.outbox.dead(desk.id) == []


def test_a_receiver_that_is_gone_is_not_asked_again(desk: Any, mail: Mail, hook: Hook, webhook: str) -> None:
    assert webhook
    hook.answers = [410]
    desk.deliver(mail(1))
    desk.poll()
    assert deliver(desk).dead == 1
    assert len(desk.engine.outbox.dead(desk.id)) == 1


def test_a_webhook_without_a_secret_posts_nothing_and_says_what_to_do(desk: Any, mail: Mail, hook: Hook) -> None:
    desk.engine.ticket_type_setup.edit(desk.id, {"task": Task.WEBHOOK, "webhook_url": hook.url}, by="Olga")
    desk.deliver(mail(1))
    desk.poll()
    assert deliver(desk).failed == 1
    assert hook.posts == []
    entry = desk.engine.stores.journal.newest(desk.id)[0]
    assert (entry.actor, "no signing secret" in entry.sentence) == (Actor.OPERATOR, True)


def test_a_webhook_to_a_private_network_is_refused_where_the_setting_does_not_allow_it(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    from dataclasses import replace

    assert webhook
    desk.deliver(mail(1))
    desk.poll()
    strict = Engine(replace(desk.engine.settings, webhook_allow_private=False), desk.cloud.clock)
    assert deliver(desk, strict).failed == 1
    assert hook.posts == []
    assert "WEBHOOK_ALLOW_PRIVATE" in desk.engine.stores.journal.newest(desk.id)[0].sentence


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("part", "method"), [("states", "tasks_wait"), ("segments", "add"), ("tickets", "commit"), ("states", "save_poll")]
)
def test_a_poll_that_dies_around_a_commit_leaves_each_message_to_be_posted_once(  # noqa: PLR0917
    desk: Any, mail: Mail, hook: Hook, webhook: str, monkeypatch: pytest.MonkeyPatch, part: str, method: str, when: str
) -> None:
    assert webhook
    desk.deliver(mail(1), mail(2))
    with monkeypatch.context() as patch:
        _dies(patch, getattr(desk.engine.stores, part), method, when, skip=1 if method == "save_poll" else 0)
        with pytest.raises(KilledError):
            desk.poll()
    other = later(desk, minutes=30)
    desk.poll(by=other)
    deliver(desk, other)
    assert sorted(hook.ids) == sorted(each.key for each in desk.messages())
    assert len(hook.ids) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["claim", "post", "done", "tasks_done"])
def test_a_worker_that_dies_at_any_step_loses_no_post_and_repeats_it_only_under_its_id(
    desk: Any, mail: Mail, hook: Hook, webhook: str, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    from ticket_engine.tasks import webhook as webhook_module

    assert webhook
    desk.deliver(mail(1), mail(2))
    desk.poll()
    owner = {"post": webhook_module, "tasks_done": desk.engine.stores.states}.get(step, desk.engine.stores.errands)
    with monkeypatch.context() as patch:
        _dies(patch, owner, step, when)
        with pytest.raises(KilledError):
            desk.engine.outbox.run(desk.id)
    other = later(desk, minutes=6)
    other.outbox.run(desk.id)
    assert set(hook.ids) == {each.key for each in desk.messages()}
    # Only a worker that died between the receipt and its note of it makes a second post.
    assert len(hook.ids) == (3 if (step, when) in {("post", "after"), ("done", "before")} else 2)
    assert list(desk.engine.stores.errands.waiting(desk.id)) == []
    assert desk.id not in other.outbox.due()


def _dies(patch: pytest.MonkeyPatch, owner: Any, name: str, when: str, skip: int = 0) -> None:
    real, calls = getattr(owner, name), []

    def dies(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        if len(calls) <= skip:
            return real(*arguments, **options)
        if when == "after":
            real(*arguments, **options)
        raise KilledError

    patch.setattr(owner, name, dies)


def test_two_workers_at_once_post_each_message_once(desk: Any, mail: Mail, hook: Hook, webhook: str) -> None:
    assert webhook
    desk.deliver(*(mail(n) for n in range(6)))
    desk.poll()
    workers = [threading.Thread(target=later(desk, seconds=0).outbox.run, args=[desk.id]) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(hook.ids) == sorted(each.key for each in desk.messages())


def test_a_message_that_comes_while_a_worker_ends_is_not_forgotten(
    desk: Any, mail: Mail, hook: Hook, webhook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook
    desk.deliver(mail(1))
    desk.poll()
    real = desk.engine.stores.states.tasks_done

    def after_a_poll(*arguments: Any) -> None:
        monkeypatch.setattr(desk.engine.stores.states, "tasks_done", real)
        desk.deliver(mail(2))
        desk.poll(by=later(desk, minutes=1))
        real(*arguments)

    monkeypatch.setattr(desk.engine.stores.states, "tasks_done", after_a_poll)
    deliver(desk)
    assert deliver(desk, later(desk, minutes=2)).done == 1
    assert len(hook.ids) == 2


def test_a_page_that_is_one_conversation_with_a_webhook_fits_its_transactions(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    assert webhook
    desk.deliver(mail(0), *(mail(n, In_Reply_To=f"<request-{n - 1}@fabrikam.example>") for n in range(1, 99)))
    desk.poll()
    assert [each.messages for each in desk.tickets()] == [99]
    assert deliver(desk).done == 99
    assert len(set(hook.ids)) == 99


def test_what_a_ticket_type_that_is_gone_wanted_delivered_is_dropped(
    desk: Any, mail: Mail, hook: Hook, webhook: str
) -> None:
    assert webhook
    desk.deliver(mail(1))
    desk.poll()
    desk.engine.stores.ticket_types.delete(desk.id)
    deliver(desk)
    assert hook.posts == []
    assert list(desk.engine.stores.errands.waiting(desk.id)) == []


def test_a_ticket_type_that_is_removed_takes_its_signing_secret_along(desk: Any, webhook: str) -> None:
    assert desk.engine.stores.vault.webhook_secret(desk.id).value == webhook
    desk.engine.ticket_type_setup.remove(desk.id, by="Olga")
    assert desk.engine.stores.vault.webhook_secret(desk.id) is None


def sent(desk: Any) -> list[Any]:
    """The mails that the mailbox sent, parsed."""
    mine = [each for each in desk.cloud.submission.sent if each.sender == desk.address]
    return [email.message_from_bytes(each.raw, policy=email.policy.default) for each in mine]


def test_the_admin_gets_a_mail_from_the_mailbox_with_a_link_and_an_answer_to_it_joins_the_ticket(
    notified: Any, mail: Mail
) -> None:
    notified.deliver(mail(1, subject="Printer"))
    notified.poll()
    assert deliver(notified).done == 1
    (got,) = sent(notified)
    (ticket,) = notified.tickets()
    assert (got["To"], got["Subject"]) == ("lead@contoso.example", f"[#{ticket.id}] Printer")
    assert got["From"].addresses[0].addr_spec == notified.address
    assert (got["Auto-Submitted"], got["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert f"/api/console/tickets/{notified.id}/{ticket.id}" in got.get_content()
    notified.deliver(mail(2, From="lead@contoso.example", In_Reply_To=got["Message-ID"], subject="Re: Printer"))
    notified.poll()
    assert notified.tickets()[0].messages == 2
    assert notified.id not in notified.engine.outbox.due(), "the admin hears nothing of their own mail"


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"From": "MAILER-DAEMON@fabrikam.example"},
        {"List_Id": "<list.example>"},
        {"Message_ID": "<ticket.0123456789AB.abc@contoso.example>", "X_Ticket_Engine": "0123456789AB"},
    ],
    ids=["automatic", "bulk", "bounce", "list", "own"],
)
def test_automatic_mail_notifies_nobody(notified: Any, mail: Mail, headers: dict[str, str]) -> None:
    notified.deliver(mail(1, **headers))
    notified.poll()
    assert len(notified.tickets()) == 1
    assert notified.id not in notified.engine.outbox.due()


def test_no_more_than_a_set_number_of_notifications_go_out_in_an_hour(notified: Any, mail: Mail) -> None:
    notified.engine.ticket_type_setup.edit(notified.id, {"notify_per_hour": 2}, by="Olga")
    notified.deliver(*(mail(n) for n in range(5)))
    notified.poll()
    noon = notified.cloud.clock().replace(minute=10)
    engine = Engine(notified.engine.settings, lambda: noon)
    notified.engine.stores.states.tasks_wait(notified.id, noon - timedelta(hours=2))
    for each in notified.engine.stores.errands.waiting(notified.id):
        notified.engine.stores.errands.claim(notified.id, _due(each.record, noon), each.etag)
    assert engine.outbox.run(notified.id).done == 5
    first, last = sent(notified)
    assert "last notification of this hour" not in first.get_content()
    assert "last notification of this hour" in last.get_content()
    notified.deliver(mail(9))
    notified.poll(by=later(notified, hours=1))
    assert deliver(notified, later(notified, hours=1, minutes=1)).done == 1
    assert len(sent(notified)) == 3


def _due(errand: Any, at: Any) -> Any:
    from dataclasses import replace

    return replace(errand, due_at=at - timedelta(minutes=1))


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?Hi=0D=0ABcc:_victim@elsewhere.example?=",
        "=?utf-8?b?SGkNCkJjYzogdmljdGltQGVsc2V3aGVyZS5leGFtcGxl?=",
        "Hi\r\n\tBcc: victim@elsewhere.example",
        "=?utf-8?q?Hi=E2=80=A8Bcc:_victim@elsewhere.example?=",
        "=?utf-8?q?Hi=C2=85Bcc:_victim@elsewhere.example?=",
    ],
    ids=["quoted", "base64", "folded", "line-separator", "next-line"],
)
def test_a_subject_cannot_put_headers_into_a_notification(notified: Any, mail: Mail, subject: str) -> None:
    sender = "=?utf-8?q?Eve=0D=0ABcc:_victim@elsewhere.example?= <eve@elsewhere.example>"
    notified.deliver(mail(1, subject=subject, From=sender))
    notified.poll()
    deliver(notified)
    (got,) = sent(notified)
    assert got["Bcc"] is None
    assert [each.recipients for each in notified.cloud.submission.sent if each.sender == notified.address] == [
        ("lead@contoso.example",)
    ]


def test_a_mailbox_that_may_not_send_says_so_and_its_mail_is_a_ticket(desk: Any, mail: Mail) -> None:
    desk.engine.ticket_type_setup.edit(desk.id, {"task": Task.NOTIFY}, by="Olga")
    desk.deliver(mail(1))
    desk.poll()
    assert deliver(desk).failed == 1
    entry = desk.engine.stores.journal.newest(desk.id)[0]
    assert (entry.code, "may_send" in entry.sentence) == ("may-not-send", True)
    assert len(desk.tickets()) == 1


def test_a_mail_that_the_server_refuses_for_now_is_sent_later_under_the_same_message_id(
    notified: Any, mail: Mail
) -> None:
    notified.cloud.submission.refusals = ["451 4.7.0 Temporary server error"]
    notified.deliver(mail(1))
    notified.poll()
    assert deliver(notified).failed == 1
    assert "451" in notified.engine.stores.journal.newest(notified.id)[0].sentence
    assert deliver(notified, later(notified, minutes=2)).done == 1
    assert len(sent(notified)) == 1


def test_a_token_of_another_account_sends_nothing(notified: Any, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notified.engine.broker, "sending_token", lambda _: "not-a-token")
    notified.deliver(mail(1))
    notified.poll()
    assert deliver(notified).failed == 1
    entry = notified.engine.stores.journal.newest(notified.id)[0]
    assert (entry.code, entry.actor) == ("smtp-login-refused", Actor.TENANT_ADMIN)
    assert "not-a-token" not in entry.sentence
    assert sent(notified) == []


def test_the_waits_add_up_to_a_day_and_a_half() -> None:
    from ticket_engine.tasks.task import wait

    total = sum((wait(attempts) for attempts in range(1, MAX_ATTEMPTS)), timedelta())
    assert timedelta(hours=30) < total < timedelta(hours=40)
