"""The app registrations: what they may, who proves them, and that nothing secret does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.principal import Role
from ticket_engine.oauth.scopes import READING, SENDING

ROOT = Path(__file__).parents[2]
# Source: Microsoft, "Microsoft Graph permissions reference"; delegated.
PERMISSIONS = {
    "652390e4-393a-48de-9484-05f9b1212954": "IMAP.AccessAsUser.All",
    "d7b7f2d9-0f45-4ea1-9d42-e50810c06991": "POP.AccessAsUser.All",
    "258f6531-6087-4cc4-bb90-092c5fb3ed3f": "SMTP.Send",
    "7427e0e9-2fba-42fe-b0c0-848c9e6a8182": "offline_access",
    "37f7f235-527c-4136-accd-4a02d197296e": "openid",
    "14dad69e-099b-42c9-810b-d002981feec1": "profile",
}


@pytest.fixture
def resources() -> list[dict[str, Any]]:
    """What the committed snapshot of the template registers."""
    content: list[dict[str, Any]] = json.loads((ROOT / "infra/entra/main.snapshot.json").read_text())[
        "predictedResources"
    ]
    return content


def application(resources: list[dict[str, Any]], end: str) -> dict[str, Any]:
    (found,) = (
        each["properties"]
        for each in resources
        if each["type"] == "Microsoft.Graph/applications@v1.0" and each["properties"]["uniqueName"].endswith(end)
    )
    assert isinstance(found, dict)
    return found


def asked(registration: dict[str, Any]) -> set[str]:
    (access,) = registration["requiredResourceAccess"]
    assert access["resourceAppId"] == "00000003-0000-0000-c000-000000000000"
    assert {each["type"] for each in access["resourceAccess"]} == {"Scope"}
    return {PERMISSIONS[each["id"]] for each in access["resourceAccess"]}


def test_the_application_for_mailboxes_asks_for_what_the_code_asks_for(resources: list[dict[str, Any]]) -> None:
    needed = {scope.rpartition("/")[2] for scope in READING.values()}
    assert asked(application(resources, "-mail")) == needed | {"offline_access", "openid", "profile"}
    assert SENDING.rpartition("/")[2] in PERMISSIONS.values()


def test_the_console_asks_for_the_sign_in_alone(resources: list[dict[str, Any]]) -> None:
    assert asked(application(resources, "-console")) == {"openid", "profile"}


def test_the_redirect_uri_is_the_callbacks_route(resources: list[dict[str, Any]]) -> None:
    source = (ROOT / "oauth_callback/__init__.py").read_text()
    route = re.search(r'@bp\.route\(route="([^"]+)"[^)]*\)\ndef oauth_callback\(', source)
    assert route is not None
    assert application(resources, "-mail")["web"]["redirectUris"] == [f"https://app.example/api/{route[1]}"]


def test_the_consoles_redirect_uri_is_the_platforms(resources: list[dict[str, Any]]) -> None:
    web = application(resources, "-console")["web"]
    assert web["redirectUris"] == ["https://app.example/.auth/login/aad/callback"]
    assert web["homePageUrl"] == "https://app.example/api/console"
    assert web["implicitGrantSettings"] == {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": True}


def test_the_consoles_roles_are_the_codes(resources: list[dict[str, Any]]) -> None:
    console = application(resources, "-console")
    assert {each["value"] for each in console["appRoles"]} == {each.value for each in Role}
    assert console["signInAudience"] == "AzureADMyOrg"


def test_who_has_no_role_cannot_sign_in(resources: list[dict[str, Any]]) -> None:
    assert [
        each["properties"].get("appRoleAssignmentRequired")
        for each in resources
        if each["type"] == "Microsoft.Graph/servicePrincipals@v1.0"
    ] == [None, True]


def test_each_registration_is_proven_by_its_own_managed_identity(resources: list[dict[str, Any]]) -> None:
    credentials = {
        each["properties"]["name"]: each["properties"]
        for each in resources
        if each["type"] == "Microsoft.Graph/applications/federatedIdentityCredentials@v1.0"
    }
    assert {name: each["subject"][-1] for name, each in credentials.items()} == {
        "ticket-engine-mail/app": "a",
        "ticket-engine-console/sign-in": "b",
    }
    for each in credentials.values():
        assert each["audiences"] == ["api://AzureADTokenExchange"]
        assert "00000000-0000-0000-0000-000000000002/v2.0" in each["issuer"]


def test_no_registration_has_a_secret_or_a_certificate(resources: list[dict[str, Any]]) -> None:
    text = json.dumps(resources)
    assert "passwordCredentials" not in text
    assert "keyCredentials" not in text
