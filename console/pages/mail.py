"""One mail of a ticket: as a page in a sandboxed frame, its attachments, and the raw mail.

What a mail brings along never runs: its HTML is sanitized, the frame is a sandbox without scripts and of no origin,
its policy loads nothing from anywhere, and everything that is saved is saved as a file and not opened.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, render_template, request
from werkzeug.exceptions import NotFound

from ticket_engine.mime import Attachment, NoSuchPartError, display, extract, parse, read
from ticket_engine.records import MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticket_engine.records import Message

bp = Blueprint("mail", __name__)

# Images inside of the mail come with its page; more than this would be a slow page.
_INLINE_BYTES = 5 * 1024**2
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
# Among so many first mails of a ticket the one that could not be read is looked for.
_FIRST = 20
_FILE_POLICY = "default-src 'none'; sandbox"


@bp.get("/tickets/<mailbox_id>/<ticket_id>/<key>/page")
def page(mailbox_id: str, ticket_id: str, key: str) -> Response:
    """The mail as a document of its own for the frame; ``?images=remote`` loads what is on other servers."""
    raw = _raw(mailbox_id, ticket_id, key)
    remote = request.args.get("images") == "remote"
    shown = display(raw, _Inline(raw), show_remote=remote)
    content = None if shown.html else read(raw)
    response = Response(render_template("mail-page.html", shown=shown, content=content), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _FRAME_POLICY.format(images="data: https:" if remote else "data:")
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.get("/tickets/<mailbox_id>/<ticket_id>/<key>/raw")
def raw_mail(mailbox_id: str, ticket_id: str, key: str) -> Response:
    """The mail byte for byte, as it came, to save."""
    return _file(_raw(mailbox_id, ticket_id, key), f"{ticket_id}-{key[-8:]}.eml", "message/rfc822")


@bp.get("/tickets/<mailbox_id>/<ticket_id>/raw")
def unread_mail(mailbox_id: str, ticket_id: str) -> Response:
    """The raw mail of a ticket whose mail could not be read; of another ticket its first."""
    stored = g.engine.stores.tickets.ticket(mailbox_id, ticket_id)
    keys = [] if stored is None else stored.record.message_keys[:_FIRST]
    messages: list[Message] = list(g.engine.stores.tickets.messages_by_key(mailbox_id, keys))
    if not messages:
        raise NotFound
    message = next((each for each in messages if each.kind is MessageKind.UNPARSED), messages[0])
    return _file(g.engine.tickets.raw(message), f"{ticket_id}.eml", "message/rfc822")


@bp.get("/tickets/<mailbox_id>/<ticket_id>/<key>/file")
def attachment(mailbox_id: str, ticket_id: str, key: str) -> Response:
    """An attachment, by its name, to save."""
    raw, name = _raw(mailbox_id, ticket_id, key), request.args.get("name", "")
    found = next((each for each in parse(raw).attachments if each.name == name), None)
    if found is None:
        raise NotFound
    try:
        _, content = extract(raw, found.section)
    except NoSuchPartError:
        raise NotFound from None
    # Whatever type the mail claims, a browser must not open it here.
    return _file(content, found.name, "application/octet-stream")


class _Inline:
    """Gives inline images as data URLs, as far as a page has room for them."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._left = _INLINE_BYTES

    def __call__(self, image: Attachment) -> str:
        if image.size > self._left:
            return ""
        self._left -= image.size
        _, content = extract(self._raw, image.section)
        return f"data:{image.type};base64,{base64.b64encode(content).decode()}"


def _raw(mailbox_id: str, ticket_id: str, key: str) -> bytes:
    message = _message(mailbox_id, ticket_id, key)
    raw: bytes = g.engine.tickets.raw(message)
    return raw


def _message(mailbox_id: str, ticket_id: str, key: str) -> Message:
    """The message with this key, which must be one of this ticket's, or of one that was merged into it."""
    found: Iterator[Message] = g.engine.stores.tickets.messages_by_key(mailbox_id, [key] if key.startswith("M") else [])
    for message in found:
        if message.ticket == ticket_id:
            return message
        stored = g.engine.stores.tickets.ticket(mailbox_id, ticket_id)
        if stored is not None and message.ticket in stored.record.merged:
            return message
    raise NotFound


def _file(content: bytes, name: str, kind: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    return response
