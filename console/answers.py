"""After a change: the way back to a page, with one sentence on what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import redirect, request

from console.display import counted, query

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

PREFIX = "/api/console"
# The address carries a word and a number and never a text, so that no link can put words into the console's mouth.
_SAID = {
    "mailbox-added": "The mailbox was added.",
    "mailbox-removed": "The mailbox was removed; its tickets stay.",
    "saved": "The changes were saved.",
    "unchanged": "Nothing was changed.",
    "paused": "Polling is paused. The mailbox's token is kept alive.",
    "resumed": "Polling goes on from where it stopped.",
    "revoked": "The consent link was revoked.",
    "secret-stored": "The client secret was stored. It is used from the next token request on.",
    "connected": "The mailbox is connected.",
    "type-added": "The ticket type was added.",
    "type-removed": "The ticket type was removed; its tickets stay.",
    "moved": "The order was changed.",
    "noted": "The note was added.",
    "released": "The next poll tries the mail again.",
    "replayed": "The mail was read again.",
}
_COUNTED = {
    "closed": ("was closed.", "were closed."),
    "left": ("was changed by someone else meanwhile and left alone.", "were changed meanwhile and left alone."),
}


def changed(path: str, said: str, **more: str | int) -> Response:
    """Redirect to a page of the console (RFC 9110, 303 See Other), which says what was done."""
    words = query({"said": said, **more})
    return redirect(f"{PREFIX}{path}{'&' if '?' in path else '?'}{words}", 303)


def message() -> str:
    """What the address says was done, in words; empty where it says nothing that is known."""
    parts = [_SAID.get(request.args.get("said", ""), "")]
    for name, (one, several) in _COUNTED.items():
        number = request.args.get(name, "")
        if number.isdecimal() and len(number) <= 4 and int(number):  # noqa: PLR2004 - a page has fewer
            parts.append(f"{counted(int(number), 'ticket')} {one if int(number) == 1 else several}")
    return " ".join(filter(None, parts))
