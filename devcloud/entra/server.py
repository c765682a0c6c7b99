"""The identity platform's HTTP endpoints."""

from __future__ import annotations

import html
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from devcloud import faults
from devcloud.certificates import CertificateAuthority
from devcloud.entra import pages
from devcloud.entra.directory import Application, Directory, ManagedIdentity, Tenant, User
from devcloud.entra.errors import EntraError
from devcloud.entra.grants import CODE_LIFETIME, Code, Grants
from devcloud.entra.tokens import SigningKeys, opaque, unique
from devcloud.serving import Server


class Entra:
    """The stand-in: a directory that a test fills, and the endpoints that MSAL and the SDKs ask."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.directory = Directory()
        self.keys = SigningKeys()
        self.grants = Grants(self.directory, self.keys, clock)
        self.faults = faults.Faults()
        # How many requests each endpoint was asked, for tests that count.
        self.requests: Counter[str] = Counter()
        self.identity_header = secrets.token_hex(16)
        self._server: Server | None = None
        self._identity_server: Server | None = None

    def start(self, certificates: CertificateAuthority) -> None:
        """Serve the platform over TLS and the managed identity endpoint, as App Service has it, over HTTP."""
        self._server = Server(Starlette(routes=self._routes()), certificates.tls)
        self._identity_server = Server(Starlette(routes=[Route("/msi/token", self._managed_identity)]))
        self.grants.base = self.url

    def stop(self) -> None:
        """Stop serving."""
        for server in (self._server, self._identity_server):
            if server is not None:
                server.stop()

    @property
    def url(self) -> str:
        """The authority host, ``https://localhost:<port>``."""
        if self._server is None:
            raise RuntimeError("Entra is not started")
        return f"https://localhost:{self._server.port}"

    @property
    def identity_endpoint(self) -> str:
        """What App Service puts into IDENTITY_ENDPOINT."""
        if self._identity_server is None:
            raise RuntimeError("Entra is not started")
        return f"http://127.0.0.1:{self._identity_server.port}/msi/token"

    def add_tenant(self, domain: str) -> Tenant:
        """Make a tenant."""
        tenant = Tenant(domain)
        self.directory.tenants.append(tenant)
        return tenant

    def add_user(self, upn: str, tenant: Tenant) -> User:
        """Make an account."""
        user = User(upn, tenant)
        self.directory.users.append(user)
        return user

    def add_application(self, name: str, tenant: Tenant, redirect_uris: list[str]) -> Application:
        """Register an application, with one client secret."""
        application = Application(name, tenant, redirect_uris)
        application.add_secret(self.clock() + timedelta(days=730))
        self.directory.applications.append(application)
        return application

    def add_managed_identity(self, tenant: Tenant) -> ManagedIdentity:
        """Make a user-assigned managed identity."""
        identity = ManagedIdentity(tenant)
        self.directory.identities.append(identity)
        return identity

    def revoke_sessions(self, user: User) -> None:
        """End every refresh token of an account, as a change of its password does."""
        user.revoked_at = self.clock()

    def _routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/discovery/v2.0/keys", self._jwks),
            Route("/{tenant}/oauth2/v2.0/authorize", self._authorize),
            Route("/{tenant}/oauth2/v2.0/login", self._login, methods=["POST"]),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
            Route("/{tenant}/v2.0/adminconsent", self._admin_consent),
            Route("/{tenant}/v2.0/adminconsent", self._admin_consented, methods=["POST"]),
        ]

    async def _configuration(self, request: Request) -> Response:
        self.requests["configuration"] += 1
        fault = self.faults.take("configuration")
        if fault is not None:
            return await faults.apply(fault, lambda: self._configuration_of(request))
        return self._configuration_of(request)

    def _configuration_of(self, request: Request) -> Response:
        name = request.path_params["tenant"]
        tenant = self.directory.tenant(name)
        if tenant is None and name not in ("organizations", "common"):
            return JSONResponse(EntraError(90002).body(self.clock()), 400)
        segment = name if tenant is None else tenant.id
        issuer = "{tenantid}" if tenant is None else tenant.id
        base = f"{self.url}/{segment}"
        return JSONResponse(
            {
                "issuer": f"{self.url}/{issuer}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token", "code id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        del request
        self.requests["keys"] += 1
        fault = self.faults.take("keys")
        if fault is not None:
            return await faults.apply(fault, lambda: JSONResponse(self.keys.jwks()))
        return JSONResponse(self.keys.jwks())

    async def _authorize(self, request: Request) -> Response:
        self.requests["authorize"] += 1
        query = request.query_params
        application = self.directory.application(query.get("client_id", ""))
        if application is None or query.get("redirect_uri") not in application.redirect_uris:
            # Microsoft never redirects to an address that it doesn't know: the person sees the error.
            error = EntraError(700016 if application is None else 50011)
            return HTMLResponse(pages.error(html.escape(error.description(self.clock()))), 400)
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return self._refuse(query, EntraError(9002313))
        tenant = self.directory.tenant(request.path_params["tenant"])
        users = [user for user in self.directory.users if _may_sign_in(user, application, tenant)]
        hint = query.get("login_hint", "").lower()
        # Who was meant comes first, then who has a role in the application.
        users.sort(key=lambda user: (user.upn.lower() != hint, user.upn.lower() not in application.roles, user.upn))
        action = f"/{request.path_params['tenant']}/oauth2/v2.0/login"
        return HTMLResponse(pages.pick_account(action, application.name, [user.upn for user in users], query))

    async def _login(self, request: Request) -> Response:
        form = await _form(request)
        application = self.directory.application(form.get("client_id", ""))
        if application is None or form.get("redirect_uri") not in application.redirect_uris:
            return HTMLResponse(pages.error("AADSTS50011"), 400)
        if "account" not in form:
            return self._refuse(form, EntraError(65004))
        user = self.directory.user(form["account"])
        tenant = self.directory.tenant(request.path_params["tenant"])
        if user is None or user.disabled or not _may_sign_in(user, application, tenant):
            return self._refuse(form, EntraError(50057))
        if application.admin_consent_required:
            return self._refuse(form, EntraError(90094))
        code = opaque("1.code")
        self.grants.codes[code] = Code(
            application=application,
            user=user,
            redirect_uri=form["redirect_uri"],
            scopes=form.get("scope", "").split(),
            nonce=form.get("nonce", ""),
            challenge=form.get("code_challenge", ""),
            expires_at=self.clock() + CODE_LIFETIME,
        )
        answer = {"code": code, "state": form.get("state", ""), "session_state": unique()}
        return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer)}", 302)

    async def _admin_consent(self, request: Request) -> Response:
        query = request.query_params
        application = self.directory.application(query.get("client_id", ""))
        if application is None or query.get("redirect_uri") not in application.redirect_uris:
            error = EntraError(700016 if application is None else 50011)
            return HTMLResponse(pages.error(html.escape(error.description(self.clock()))), 400)
        return HTMLResponse(pages.approve(str(request.url.path), application.name, query))

    async def _admin_consented(self, request: Request) -> Response:
        form = await _form(request)
        application = self.directory.application(form.get("client_id", ""))
        if application is None or form.get("redirect_uri") not in application.redirect_uris:
            return HTMLResponse(pages.error("AADSTS50011"), 400)
        application.admin_consent_required = False
        answer = {"admin_consent": "True", "tenant": request.path_params["tenant"], "state": form.get("state", "")}
        return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer)}", 302)

    def _refuse(self, form: Mapping[str, str], error: EntraError) -> Response:
        answer = {
            "error": error.error,
            "error_description": error.description(self.clock()),
            "state": form.get("state", ""),
        }
        return RedirectResponse(f"{form['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        self.requests["token"] += 1
        form = await _form(request)
        tenant = str(request.path_params["tenant"])

        def real() -> Response:
            try:
                return JSONResponse(self.grants.redeem(tenant, form))
            except EntraError as error:
                return JSONResponse(error.body(self.clock()), error.status)

        fault = self.faults.take("token")
        if fault is not None:
            return await faults.apply(fault, real)
        return await run_in_threadpool(real)

    async def _managed_identity(self, request: Request) -> Response:
        self.requests["managed-identity"] += 1
        if request.headers.get("X-IDENTITY-HEADER") != self.identity_header:
            return JSONResponse({"statusCode": 403, "message": "The identity header is wrong."}, 403)
        resource = request.query_params.get("resource", "")
        identity = self.directory.identity(request.query_params.get("client_id", ""))
        if identity is None or not resource:
            return JSONResponse({"statusCode": 400, "message": "No User Assigned Managed Identity found."}, 400)
        token = self.grants.app_token(identity.tenant, identity.client_id, identity.principal_id, resource)
        expires: dict[str, Any] = {"expires_on": str(int(time.time()) + 24 * 3600)}
        return JSONResponse(
            {"access_token": token, "token_type": "Bearer", "resource": resource, "client_id": identity.client_id}
            | expires
        )


def _may_sign_in(user: User, application: Application, tenant: Tenant | None) -> bool:
    # The authority names one tenant, or (organizations) every tenant for an application that serves several.
    return user.tenant is (tenant or (user.tenant if application.multi_tenant else application.tenant))


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
