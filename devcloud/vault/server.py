"""The secrets REST API of Azure Key Vault: Microsoft, "Azure Key Vault REST API reference"."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devcloud import faults
from devcloud.certificates import CertificateAuthority
from devcloud.entra import Entra, Tenant
from devcloud.serving import Server
from devcloud.vault.certificates import self_signed
from devcloud.vault.secrets import Secrets, VaultError, Version

_RECOVERABLE_DAYS = 90


class Vault:
    """A vault that takes tokens of one tenant of the stand-in."""

    def __init__(self, entra: Entra, tenant: Tenant, clock: Callable[[], datetime]) -> None:
        self._entra = entra
        self._tenant = tenant
        self._clock = clock
        self.secrets = Secrets(clock)
        self.faults = faults.Faults()
        # How many reads and writes the vault answered, for tests that count.
        self.operations: Counter[str] = Counter()
        # The principal ids that have no role here.
        self.denied: set[str] = set()
        self._server: Server | None = None

    def start(self, certificates: CertificateAuthority) -> None:
        """Serve the vault."""
        routes = [
            self._route("/secrets/{name}", "set", ["PUT"]),
            self._route("/secrets/{name}/backup", "backup", ["POST"]),
            self._route("/secrets/{name}/versions", "versions", ["GET"]),
            self._route("/secrets/{name}/{version}", "get", ["GET"]),
            self._route("/secrets/{name}/", "get", ["GET"]),
            self._route("/secrets/{name}", "get", ["GET"]),
            self._route("/secrets/{name}/{version}", "update", ["PATCH"]),
            self._route("/secrets/{name}", "delete", ["DELETE"]),
            self._route("/secrets", "list", ["GET"]),
            self._route("/deletedsecrets/{name}", "get-deleted", ["GET"]),
            self._route("/deletedsecrets/{name}/recover", "recover", ["POST"]),
            self._route("/deletedsecrets/{name}", "purge", ["DELETE"]),
        ]
        self._server = Server(Starlette(routes=routes), certificates.tls)

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.stop()

    @property
    def url(self) -> str:
        """The vault's address, ``https://127.0.0.1:<port>``."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def _port(self) -> int:
        if self._server is None:
            raise RuntimeError("the vault is not started")
        return self._server.port

    @property
    def _resource(self) -> str:
        # The SDK accepts a challenge only when the resource's domain is a parent of the vault's, as vault.azure.net is
        # of every vault's. By the same rule 0.0.1 is the parent of 127.0.0.1.
        return f"https://0.0.1:{self._port}"

    def create_certificate(self, name: str, *, pem: bool = False, lifetime: timedelta = timedelta(days=365)) -> str:
        """Create a self-signed certificate, as the portal does, and return its public part (PEM).

        The private key is the secret of the same name, as PKCS #12 or as PEM.
        """
        value, public, ends_at = self_signed(name, self._clock() + lifetime, pem=pem)
        content_type = "application/x-pem-file" if pem else "application/x-pkcs12"
        attributes = {"exp": int(ends_at.timestamp())}
        self.secrets.set(name, {"value": value, "contentType": content_type, "attributes": attributes})
        return public

    def _route(self, path: str, operation: str, methods: list[str]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answer(operation, request)

        return Route(path, endpoint, methods=methods)

    async def _answer(self, operation: str, request: Request) -> Response:
        body = await request.body()
        principal = self._principal(request)
        if principal is None:
            authority = f"{self._entra.url}/{self._tenant.id}"
            challenge = f'Bearer authorization="{authority}", resource="{self._resource}"'
            return _error(VaultError(401, "Unauthorized", "AKV10000"), {"WWW-Authenticate": challenge})

        def real() -> Response:
            try:
                self._admit(principal)
                self.secrets.count(write=operation in ("set", "update", "delete", "recover", "purge"))
                self.operations[operation] += 1
                return self._perform(operation, request, json.loads(body or b"{}"))
            except VaultError as error:
                return _error(error, {"Retry-After": "1"} if error.code == "Throttled" else {})

        fault = self.faults.take(operation)
        if fault is not None:
            return await faults.apply(fault, real)
        return await run_in_threadpool(real)

    def _principal(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        try:
            claims = self._entra.keys.verify(token, self._resource)
        except jwt.PyJWTError:
            return None
        return str(claims["oid"])

    def _admit(self, principal: str) -> None:
        if principal in self.denied:
            raise VaultError(403, "Forbidden", "Caller is not authorized to perform action on resource.")

    def _perform(self, operation: str, request: Request, body: dict[str, Any]) -> Response:
        name = str(request.path_params.get("name", ""))
        version = str(request.path_params.get("version", ""))
        secrets = self.secrets
        perform: dict[str, Callable[[], Response]] = {
            "set": lambda: self._bundle(name, secrets.set(name, body)),
            "get": lambda: self._bundle(name, secrets.get(name, version)),
            "update": lambda: self._bundle(name, secrets.update(name, version, body), value=False),
            "versions": lambda: self._list(f"{name}/{each.id}" for each in secrets.versions(name)),
            "list": lambda: self._list(secrets.live),
            "delete": lambda: self._bundle(name, secrets.delete(name), value=False, deleted=True),
            "get-deleted": lambda: self._bundle(name, secrets.deleted_version(name), value=False, deleted=True),
            "recover": lambda: self._bundle(name, secrets.recover(name), value=False),
            "purge": lambda: _purged(secrets, name),
            "backup": lambda: _backup(secrets, name),
        }
        return perform[operation]()

    def _list(self, names: Any) -> Response:
        values = []
        for each in names:
            name, _, version = each.partition("/")
            values.append({"id": f"{self.url}/secrets/{each}", "attributes": _attributes(self._find(name, version))})
        return JSONResponse({"value": values, "nextLink": None})

    def _find(self, name: str, version: str) -> Version:
        versions = self.secrets.live[name]
        return next((each for each in versions if each.id == version), versions[-1])

    def _bundle(self, name: str, version: Version, *, value: bool = True, deleted: bool = False) -> Response:
        body: dict[str, Any] = {
            "id": f"{self.url}/secrets/{name}/{version.id}",
            "attributes": _attributes(version),
            "tags": version.tags,
        }
        if version.content_type is not None:
            body["contentType"] = version.content_type
        if value:
            body["value"] = version.value
        if deleted:
            now = self._clock()
            body["recoveryId"] = f"{self.url}/deletedsecrets/{name}"
            body["deletedDate"] = int(now.timestamp())
            body["scheduledPurgeDate"] = int((now + timedelta(days=_RECOVERABLE_DAYS)).timestamp())
        return JSONResponse(body)


def _attributes(version: Version) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "enabled": version.enabled,
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": "Recoverable",
        "recoverableDays": _RECOVERABLE_DAYS,
    }
    return attributes | {
        name: value for name, value in (("exp", version.exp), ("nbf", version.nbf)) if value is not None
    }


def _purged(secrets: Secrets, name: str) -> Response:
    secrets.purge(name)
    return Response(status_code=204)


def _backup(secrets: Secrets, name: str) -> Response:
    secrets.check_backup(name)
    return JSONResponse({"value": base64.urlsafe_b64encode(name.encode()).decode()})


def _error(error: VaultError, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": {"code": error.code, "message": error.message}}, error.status, headers)
