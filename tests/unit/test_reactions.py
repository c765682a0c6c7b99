"""Every error of the identity platform has someone who acts, and a sentence that says how."""

from datetime import timedelta

import pytest

from ticket_engine.errors import Actor, suggested_wait
from ticket_engine.oauth.reactions import AADSTS, classify

# The table of the design: who acts on which AADSTS number.
ACTORS = {
    Actor.SERVICE: [50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090],
    Actor.OWNER: [70008, 700082, 50173, 70043, 50072, 50074, 50076, 50078, 50079, 65001, 50132, 50133, 70000, 54005],
    Actor.TENANT_ADMIN: [90094, 90095, 700016, 50105, 53000, 53003, 530032, 50057, 500011, 650052],
    Actor.OPERATOR: [
        *(7000215, 7000222, 7000218, 700027, 50012, 70021, 700211, 700212, 700213, 700229),
        *(50011, 70011, 700084, 50196),
    ],
}


@pytest.mark.parametrize(("actor", "number"), [(actor, n) for actor, numbers in ACTORS.items() for n in numbers])
def test_a_known_number_names_who_acts(actor: Actor, number: int) -> None:
    reaction = classify({"error": "invalid_grant", "error_codes": [number]})
    assert (reaction.actor, reaction.code) == (actor, f"AADSTS{number}")
    assert reaction.sentence.endswith(".")


def test_the_table_holds_nothing_else() -> None:
    assert set(AADSTS) == {number for numbers in ACTORS.values() for number in numbers}


@pytest.mark.parametrize(
    ("error", "actor"),
    [
        ("temporarily_unavailable", Actor.SERVICE),
        ("server_error", Actor.SERVICE),
        ("invalid_grant", Actor.OWNER),
        ("interaction_required", Actor.OWNER),
        ("consent_required", Actor.OWNER),
        ("access_denied", Actor.OWNER),
        ("invalid_client", Actor.OPERATOR),
        ("invalid_scope", Actor.OPERATOR),
        ("something_new", Actor.OPERATOR),
    ],
)
def test_an_error_without_a_known_number_is_judged_by_its_oauth_error(error: str, actor: Actor) -> None:
    assert classify({"error": error, "error_codes": [4711]}).actor is actor
    assert classify({"error": error}).actor is actor


@pytest.mark.parametrize("codes", [["²", None, {}, 70008], ["70008"], [0, 70008]])
def test_odd_numbers_are_passed_over(codes: list[object]) -> None:
    assert classify({"error": "invalid_grant", "error_codes": codes}).code == "AADSTS70008"


def test_a_loop_that_the_platform_stopped_is_not_gone_on_with() -> None:
    assert classify({"error": "invalid_grant", "error_codes": [50196]}).retry_after == timedelta(hours=1)
    assert classify({"error": "invalid_grant", "error_codes": [70008]}).retry_after is None


def test_the_number_is_found_in_the_description_of_an_authorize_error() -> None:
    answer = {"error": "access_denied", "error_description": "AADSTS90094: The grant requires admin permission."}
    assert classify(answer).code == "AADSTS90094"


def test_a_description_never_becomes_part_of_the_sentence() -> None:
    reaction = classify({"error": "odd", "error_description": "<script>alert(1)</script> AADSTS1"})
    assert "script" not in reaction.sentence + reaction.code


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("77", 77), (" 0 ", 0), ("9" * 30, 3600), ("", None), ("-1", None), ("²", None), ("Wed, 21 Oct 2026", None)],
)
def test_a_suggested_wait_is_kept_up_to_an_hour(header: str, seconds: int | None) -> None:
    assert suggested_wait(header) == (None if seconds is None else timedelta(seconds=seconds))
