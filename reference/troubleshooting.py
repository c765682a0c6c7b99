"""What each error means and who must act: the identity platform's by table, all others as the code raises them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reference.tables import table
from ticket_engine.errors import Actor
from ticket_engine.oauth.reactions import AADSTS, ERRORS

_CODE = Path(__file__).parents[1] / "ticket_engine"
_ACTORS = {f"Actor.{each.name}": each.value for each in Actor}
# A reaction names the actor, the code and the sentence, in this order.
_ARGUMENTS = 3
_OPERATOR = ast.parse("Actor.OPERATOR", mode="eval").body


@dataclass(frozen=True)
class Raised:
    """A reaction as the code makes it; ``…`` stands for what is known only when it happens."""

    code: str
    actor: str
    sentence: str


def aadsts() -> str:
    """Every AADSTS code that the service knows."""
    rows = [(f"`AADSTS{number}`", str(actor), sentence) for number, (actor, sentence) in sorted(AADSTS.items())]
    return table(("code", "who must act", "what to do"), rows)


def oauth_errors() -> str:
    """Every OAuth error that the service knows without a number."""
    rows = [(f"`{error}`", str(actor), sentence) for error, (actor, sentence) in sorted(ERRORS.items())]
    return table(("code", "who must act", "what to do"), rows)


def reactions() -> str:
    """Every other failure that the service can report."""
    found = {(each.code, each.sentence): each for each in raised()}
    rows = [(f"`{each.code}`", each.actor, each.sentence) for _, each in sorted(found.items())]
    return table(("code", "who must act", "what it says"), rows)


def raised() -> Iterator[Raised]:
    """Every ``Reaction(…)`` in the code whose parts stand there."""
    for path in sorted(_CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in ("Reaction", "_failed") and isinstance(node, ast.Call):
                # The test of a mailbox raises by a function of its own, always for the operator.
                given = node.args if called.id == "Reaction" else [_OPERATOR, *node.args]
                if len(given) >= _ARGUMENTS and isinstance(given[1], ast.Constant | ast.JoinedStr):
                    sentence = _text(given[2])
                    if sentence is not None and ast.unparse(given[0]) in _ACTORS:
                        yield Raised(_text(given[1]) or "", _ACTORS[ast.unparse(given[0])], sentence)


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) or "…" for each in node.values)
    return None
