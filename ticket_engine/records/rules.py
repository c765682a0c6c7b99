"""Match rules: what a mail must be like for a ticket type to take it, written as people say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self

# How long a pattern may look at one value, in seconds; what takes longer does not match.
PATTERN_TIME = 0.05
MAX_RULES = 50
_MAX_VALUE = 500
_HEADER_NAME = re.compile(r"^[!-9;-~]{1,100}$")
# Values on which a pattern that goes back and forth without end shows it.
_PROBES = tuple(unit * 2_000 + end for unit in ("a", "1", " ", "-", "ab", "a.", "x@", "<a>") for end in ("", "!", "\n"))
RULES_ACCEPT = (
    f"at most {MAX_RULES} rules, one a line: recipient, sub-address, sender, subject or header NAME; then equals, "
    "contains or pattern; then a value, such as 'subject contains invoice' or 'header X-Team equals billing'"
)


class RuleError(ValueError):
    """A rule can't be read; the text says what is wrong with it."""


class RuleField(StrEnum):
    """What of a mail a rule looks at."""

    RECIPIENT = "recipient"
    SUB_ADDRESS = "sub-address"
    SENDER = "sender"
    SUBJECT = "subject"
    HEADER = "header"


class RuleMatch(StrEnum):
    """How a rule compares; case never matters."""

    EQUALS = "equals"
    CONTAINS = "contains"
    PATTERN = "pattern"


@dataclass(frozen=True)
class MatchRule:
    """One rule; ``header`` is the name of the header field where ``field`` is header."""

    field: RuleField
    match: RuleMatch
    value: str
    header: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """The rule that a line says.

        Raises:
            RuleError: says what is wrong with the line.
        """
        words = text.strip().split(None, 1)
        field, rest = (words[0].lower(), words[1] if len(words) > 1 else "") if words else ("", "")
        if field not in set(RuleField):
            raise RuleError(f"{text!r} begins with none of {', '.join(RuleField)}")
        header = ""
        if field == RuleField.HEADER:
            header, _, rest = rest.partition(" ")
            if not _HEADER_NAME.match(header):
                raise RuleError(f"{text!r} names no header: write 'header X-Team equals billing'")
        match, _, value = rest.strip().partition(" ")
        if match.lower() not in set(RuleMatch):
            raise RuleError(f"{text!r} lacks one of {', '.join(RuleMatch)} after the {field}")
        return cls(RuleField(field), RuleMatch(match.lower()), value.strip(), header).checked()

    def checked(self) -> Self:
        """This rule, when it can be used.

        Raises:
            RuleError: the value is missing, too long, or a pattern that can't be read or takes too long.
        """
        if not self.value or len(self.value) > _MAX_VALUE or not self.value.isprintable():
            raise RuleError(f"'{self.field} {self.match}' takes a value of one line, at most {_MAX_VALUE} characters")
        if self.match is RuleMatch.PATTERN:
            _check_pattern(self.value)
        return self

    def matches(self, values: Iterable[str]) -> bool:
        """Whether one of these values is what the rule wants.

        Raises:
            TimeoutError: the pattern took too long.
        """
        wanted = self.value.casefold()
        if self.match is RuleMatch.EQUALS:
            return any(each.casefold() == wanted for each in values)
        if self.match is RuleMatch.CONTAINS:
            return any(wanted in each.casefold() for each in values)
        pattern = _compiled(self.value)
        return any(pattern.search(each, timeout=PATTERN_TIME) is not None for each in values)

    def __str__(self) -> str:
        """The line that says it."""
        return " ".join(filter(None, (self.field.value, self.header, self.match.value, self.value)))


def read_rules(given: Any) -> tuple[MatchRule, ...]:
    """The rules of an operator's input: text with a rule a line, or a list of lines or of rules.

    Raises:
        RuleError: says which rule can't be read, and why.
    """
    lines = given.splitlines() if isinstance(given, str) else given
    if not isinstance(lines, list | tuple):
        raise RuleError("rules are lines of text")
    rules = [_rule(each) for each in lines if not isinstance(each, str) or each.strip()]
    if len(rules) > MAX_RULES:
        raise RuleError(f"there are {len(rules)} rules, and {MAX_RULES} is the most")
    return tuple(rules)


def _rule(given: Any) -> MatchRule:
    if isinstance(given, MatchRule):
        return given.checked()
    if isinstance(given, dict):
        try:
            rule = MatchRule(RuleField(given["field"]), RuleMatch(given["match"]), given["value"], given["header"])
        except (KeyError, ValueError, TypeError):
            raise RuleError(f"{given!r} is no rule") from None
        return rule
    return MatchRule.read(str(given))


@cache
def _compiled(pattern: str) -> Any:
    # The standard library's patterns can't be stopped.
    import regex

    return regex.compile(pattern, regex.IGNORECASE | regex.VERSION0)


def _check_pattern(pattern: str) -> None:
    import regex

    try:
        compiled = _compiled(pattern)
    except regex.error as error:
        raise RuleError(f"the pattern {pattern!r} can't be read: {error}") from None
    try:
        for probe in _PROBES:
            compiled.search(probe, timeout=PATTERN_TIME)
    except TimeoutError:
        raise RuleError(
            f"the pattern {pattern!r} takes too long on some texts: avoid repeats inside repeats, such as (a+)+"
        ) from None
