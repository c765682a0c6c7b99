"""Match rules: how they are read, what they match, and what a pattern may not do."""

from __future__ import annotations

import pytest

from ticket_engine.intake.route import Router
from ticket_engine.mime import parse
from ticket_engine.records import MatchRule, RecordError, RuleField, RuleMatch, TicketType

MAIL = parse(
    b"From: Ada Lovelace <ada@fabrikam.example>\r\nTo: Support <support+billing@contoso.example>\r\n"
    b"Delivered-To: desk@contoso.example\r\nX-Team: A\r\nX-Team: Accounts\r\n"
    b"Subject: =?utf-8?q?Rechnung_4711_f=C3=BCr_Stra=C3=9Fe?=\r\n\r\nBody\r\n"
)
# Its repeats inside repeats end at once on the probes, and never on the mail below.
SLOW = "(q+)+z"


def ticket_type(name: str, *rules: str, **values: object) -> TicketType:
    fields = {"id": name, "name": name, "mailbox": "desk", "admin_email": "lead@contoso.example", "rules": rules}
    return TicketType.create(**{**fields, **values})


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        ("recipient equals SUPPORT+BILLING@contoso.example", True),
        ("recipient equals desk@contoso.example", True),
        ("recipient contains support@", False),
        ("sub-address equals billing", True),
        ("sub-address equals support", False),
        ("sender equals ada@fabrikam.example", True),
        ("sender contains lovelace", True),
        ("sender contains @fabrikam.example", True),
        ("subject contains rechnung", True),
        ("subject contains STRASSE", True),
        ("subject equals rechnung", False),
        (r"subject pattern \brechnung\s+\d{4}\b", True),
        (r"subject pattern ^\d", False),
        ("header X-Team equals accounts", True),
        ("header x-team contains B", False),
        ("header X-Missing pattern .*", False),
    ],
)
def test_a_rule_looks_at_its_field_whatever_the_case(line: str, *, matches: bool) -> None:
    router = Router([ticket_type("with", line), ticket_type("rest")])
    assert router.route(MAIL).ticket_type.id == ("with" if matches else "rest")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("colour equals red", "begins with none of recipient, sub-address, sender, subject, header"),
        ("subject invoice", "lacks one of equals, contains, pattern after the subject"),
        ("subject contains", "takes a value of one line"),
        ("header equals x", "lacks one of equals, contains, pattern after the header"),
        ("header Bad:Name equals x", "names no header"),
        ("subject pattern (", "can't be read: missing"),
        ("subject pattern (a+)+$", "takes too long on some texts"),
        (r"subject pattern ^(\w+\s?)*$", "takes too long on some texts"),
        ("subject contains " + "x" * 501, "at most 500 characters"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_the_reason(line: str, problem: str) -> None:
    with pytest.raises(RecordError) as error:
        ticket_type("type", line)
    assert problem in str(error.value)


def test_rules_come_as_text_with_a_line_each_and_go_back_as_lines() -> None:
    given = "subject contains  invoice \n\n header X-Team EQUALS Accounts payable\n"
    made = ticket_type("type", rules=given)
    assert made.rules == (
        MatchRule(RuleField.SUBJECT, RuleMatch.CONTAINS, "invoice"),
        MatchRule(RuleField.HEADER, RuleMatch.EQUALS, "Accounts payable", "X-Team"),
    )
    assert TicketType.create(**made.model_dump(mode="json")) == made
    assert made.model_dump()["rules"] == ["subject contains invoice", "header X-Team equals Accounts payable"]
    with pytest.raises(RecordError, match="50 is the most"):
        ticket_type("type", *(f"subject contains {n}" for n in range(51)))


def test_types_are_asked_by_priority_and_the_one_without_rules_takes_the_rest() -> None:
    first = ticket_type("z-first", "subject contains rechnung", priority=1)
    second = ticket_type("a-second", "subject contains rechnung", priority=2)
    rest = ticket_type("rest", priority=1)
    assert Router([rest, second, first]).route(MAIL).ticket_type == first
    assert Router([second, rest]).route(MAIL).ticket_type == second
    assert Router([ticket_type("none", "subject contains nothing"), rest]).route(MAIL).ticket_type == rest


def test_all_rules_must_match_where_the_type_says_so() -> None:
    lines = ("subject contains rechnung", "sender contains nobody")
    assert Router([ticket_type("any", *lines), ticket_type("rest")]).route(MAIL).ticket_type.id == "any"
    every = ticket_type("all", *lines, rules_match="all")
    assert Router([every, ticket_type("rest")]).route(MAIL).ticket_type.id == "rest"


def test_a_mail_that_no_rule_wants_is_left_out_by_nobody() -> None:
    types = [ticket_type("one", "subject contains x1", priority=1), ticket_type("two", "subject contains x2")]
    assert Router(types).route(MAIL).ticket_type.id == "two"


def test_a_pattern_that_takes_too_long_on_a_mail_does_not_match_and_is_left_out_in_the_end() -> None:
    router = Router([ticket_type("slow", f"subject pattern {SLOW}"), ticket_type("rest")])
    mail = parse(f"Subject: {'q' * 400}\r\n\r\nBody".encode())
    for _ in range(100):
        assert router.route(mail).ticket_type.id == "rest"
    assert [str(each) for each in router.late] == [f"subject pattern {SLOW}"]
