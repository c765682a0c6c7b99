"""The console in this process, over real storage, seen by people of every role."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from console.app import create_app
from devcloud.cloud import DevCloud
from ticket_engine.engine import Engine

ROLES = {"olga": ("Operator",), "alex": ("Agent",), "nobody": ()}
_accounts = itertools.count(1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[DevCloud]:
    """A cloud of its own: lists over all mailboxes begin with what these tests make."""
    with DevCloud() as running:
        running.join()
        yield running


def platform_headers(person: str, *roles: str) -> dict[str, str]:
    """What the platform's authentication sends for a person."""
    claims = [{"typ": "preferred_username", "val": f"{person}@contoso.example"}]
    claims += [{"typ": "roles", "val": role} for role in roles]
    principal = json.dumps({"auth_typ": "aad", "claims": claims, "role_typ": "roles"})
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(principal.encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": f"account-of-{person}",
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
        "X-MS-CLIENT-PRINCIPAL-NAME": f"{person}@contoso.example",
    }


class Reader:
    """A person with a browser: cookies are kept, and forms are sent with the token of a page."""

    def __init__(self, client: FlaskClient, person: str, *roles: str) -> None:
        self.client = client
        self.headers = platform_headers(person, *roles)
        self._token = ""

    def get(self, path: str = "", **headers: str) -> TestResponse:
        """Open a page."""
        answer = self.client.get(
            f"/api/console{path}", base_url="https://localhost", headers={**self.headers, **headers}
        )
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text if answer.mimetype == "text/html" else "")
        self._token = found[1] if found else self._token
        return answer

    @property
    def token(self) -> str:
        """The token of a page with a form."""
        if not self._token:
            self.get("/mailboxes/add")
        return self._token

    def post(self, path: str, values: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Send a form."""
        form = {"csrf": self.token, **(values or {})}
        return self.client.post(
            f"/api/console{path}", base_url="https://localhost", data=form, headers={**self.headers, **headers}
        )


@pytest.fixture
def open_console(engine: Engine) -> Callable[..., Reader]:
    """Opens the console as a person, each in a browser of their own; ``environment`` is the platform's."""

    def reader(person: str = "olga", environment: dict[str, str] | None = None) -> Reader:
        on = {"WEBSITE_AUTH_ENABLED": "True"} if environment is None else environment
        return Reader(create_app(lambda: engine, on).test_client(), person, *ROLES[person])

    return reader


@pytest.fixture
def olga(open_console: Callable[..., Reader]) -> Reader:
    """An operator."""
    return open_console("olga")
