"""What a command works with: the engine of the deployment, the person's name, and the terminal."""

from __future__ import annotations

import base64
import getpass
import json
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticket_engine.cli.output import Output

if TYPE_CHECKING:
    from ticket_engine.engine import Engine

ENV_FILE = "TICKET_ENGINE_ENV"
# Where a token says whose it is, best first (Microsoft, "Access token claims reference").
_NAMES = ("upn", "preferred_username", "unique_name", "email", "name")


class Session:
    """One run of a command."""

    def __init__(self, *, env_file: str | None, as_json: bool) -> None:
        self._env_file = env_file
        # Python would print the libraries' warnings; what they mean for the person is said in a sentence.
        logging.getLogger().addHandler(logging.NullHandler())
        self.out = Output(as_json=as_json)

    @cached_property
    def engine(self) -> Engine:
        """The engine of the deployment that the environment, or the env file, names; raises SettingError."""
        from ticket_engine.engine import Engine
        from ticket_engine.settings import Settings

        if self._env_file:
            os.environ.update(read_env_file(Path(self._env_file)))
        environment = dict(os.environ)
        if "IDENTITY_ENDPOINT" not in environment:
            # The app's managed identity exists in Azure only: here the person's own (az login) signs in.
            environment.pop("AZURE_CLIENT_ID", None)
        return Engine(Settings.from_environment(environment))

    @cached_property
    def person(self) -> str:
        """Who makes the changes: the name in the Azure token, else the user of this machine."""
        token = self.engine.clients.credential.get_token("https://storage.azure.com/.default").token
        return name_in(token) or getpass.getuser()


def name_in(token: str) -> str | None:
    """The person that a token names; its signature is the service's to check, not ours."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return None
    return next((str(claims[name]) for name in _NAMES if claims.get(name)), None)


def read_env_file(path: Path) -> dict[str, str]:
    """Settings from a file: ``NAME=value`` lines, or JSON as ``local.settings.json`` and the Azure CLI write it.

    Raises:
        SettingError: the file can't be read.
    """
    from ticket_engine.settings import SettingError

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise SettingError(f"the env file {path} can't be read: {reason}") from None
    if text.lstrip().startswith(("{", "[")):
        try:
            return _from_json(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SettingError(f"the env file {path} is no JSON of app settings") from None
    lines = (line.strip().removeprefix("export ") for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _from_json(found: Any) -> dict[str, str]:
    if isinstance(found, list):
        # az functionapp config appsettings list
        return {str(each["name"]): str(each["value"]) for each in found if each["value"] is not None}
    values = found.get("Values", found)
    return {str(name): str(value) for name, value in values.items()}
