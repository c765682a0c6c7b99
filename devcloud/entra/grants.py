"""The token endpoint's rules: who may redeem what for which token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from devcloud.entra.assertions import TOKEN_EXCHANGE, Assertions
from devcloud.entra.directory import Application, Directory, Tenant, User
from devcloud.entra.errors import EntraError
from devcloud.entra.tokens import SigningKeys, lifetime_claims, opaque, unique

_USER_ENDPOINT = "https://graph.microsoft.com/User.Read"
_OIDC_SCOPES = {"openid", "profile", "offline_access", "email"}
CODE_LIFETIME = timedelta(minutes=10)
REFRESH_TOKEN_LIFETIME = timedelta(days=90)


@dataclass
class Code:
    """An authorization code."""

    application: Application
    user: User
    redirect_uri: str
    scopes: list[str]
    nonce: str
    challenge: str
    expires_at: datetime
    used: bool = False


@dataclass
class RefreshToken:
    """A refresh token; each use prolongs nothing but gives a new one, and the old one stays valid."""

    application: Application
    user: User
    scopes: list[str]
    issued_at: datetime
    expires_at: datetime


@dataclass
class Grants:
    """Codes and refresh tokens, and the answers that they are redeemed for."""

    directory: Directory
    keys: SigningKeys
    clock: Callable[[], datetime]
    base: str = ""
    access_token_lifetime: timedelta = timedelta(hours=1)
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    # What tests look for: every token that was given out, and every refresh token that was redeemed, in order.
    issued: list[str] = field(default_factory=list)
    redeemed: list[str] = field(default_factory=list)

    @property
    def _assertions(self) -> Assertions:
        return Assertions(self.keys)

    def redeem(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The token response to a request; raises EntraError."""
        application = self._client(tenant, form)
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            return self._redeem_code(application, form)
        if kind == "refresh_token":
            return self._redeem_refresh_token(application, form)
        raise EntraError(70003)

    def _client(self, tenant: str, form: Mapping[str, str]) -> Application:
        application = self.directory.application(form.get("client_id", ""))
        known = self.directory.tenant(tenant)
        if known is None and tenant not in ("organizations", "common"):
            raise EntraError(90002)
        if application is None or (known not in (None, application.tenant) and not application.multi_tenant):
            raise EntraError(700016)
        if form.get("client_assertion"):
            self._assertions.check(application, f"{self.base}/{tenant}/oauth2/v2.0/token", form)
            return application
        given = form.get("client_secret", "")
        if not given:
            raise EntraError(7000218)
        for secret in application.secrets:
            if hmac.compare_digest(secret.value, given):
                if secret.expires_at is not None and secret.expires_at <= self.clock():
                    raise EntraError(7000222)
                return application
        raise EntraError(7000215)

    def _redeem_code(self, application: Application, form: Mapping[str, str]) -> dict[str, Any]:
        code = self.codes.get(form.get("code", ""))
        if code is None or code.application is not application:
            raise EntraError(70000)
        if code.used:
            raise EntraError(54005)
        if code.expires_at <= self.clock():
            raise EntraError(70008)
        if code.redirect_uri != form.get("redirect_uri"):
            raise EntraError(50011)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            raise EntraError(501481)
        code.used = True
        self._check(code.user)
        return self._answer(application, code.user, code.scopes, nonce=code.nonce)

    def _redeem_refresh_token(self, application: Application, form: Mapping[str, str]) -> dict[str, Any]:
        token = self.refresh_tokens.get(form.get("refresh_token", ""))
        if token is None or token.application is not application:
            raise EntraError(70000)
        if token.expires_at <= self.clock():
            raise EntraError(700082)
        if token.user.revoked_at is not None and token.issued_at <= token.user.revoked_at:
            raise EntraError(50173)
        self._check(token.user)
        self.redeemed.append(form["refresh_token"])
        scopes = form.get("scope", "").split() or token.scopes
        if not set(scopes) - _OIDC_SCOPES <= set(token.scopes):
            raise EntraError(65001)
        return self._answer(application, token.user, scopes, granted=token.scopes)

    def _check(self, user: User) -> None:
        if user.disabled:
            raise EntraError(50057)
        if user.needs_mfa:
            raise EntraError(50076)

    def _answer(
        self,
        application: Application,
        user: User,
        scopes: list[str],
        *,
        nonce: str = "",
        granted: list[str] | None = None,
    ) -> dict[str, Any]:
        now = self.clock()
        resources = [scope for scope in scopes if scope not in _OIDC_SCOPES]
        if not resources:
            if "openid" not in scopes:
                raise EntraError(70011)
            # A sign-in and nothing more: the access token is for the directory's own user endpoint.
            resources = [_USER_ENDPOINT]
        # A token is for one resource: the first one's. Its scopes are all that were granted there.
        audience = resources[0].rpartition("/")[0]
        permissions = [scope.rpartition("/")[2] for scope in resources if scope.startswith(f"{audience}/")]
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(resources),
            "expires_in": int(self.access_token_lifetime.total_seconds()),
            "ext_expires_in": int(self.access_token_lifetime.total_seconds()),
            "access_token": self._access_token(application, user, audience, permissions),
        }
        if "offline_access" in scopes:
            answer["refresh_token"] = opaque("1")
            self.refresh_tokens[answer["refresh_token"]] = RefreshToken(
                application, user, granted or scopes, now, now + REFRESH_TOKEN_LIFETIME
            )
        if "openid" in scopes:
            answer["id_token"] = self.keys.sign(self.id_token_claims(application, user, nonce))
        self.issued += [answer[kind] for kind in ("access_token", "refresh_token", "id_token") if kind in answer]
        info = json.dumps({"uid": user.oid, "utid": user.tenant.id}).encode()
        answer["client_info"] = base64.urlsafe_b64encode(info).rstrip(b"=").decode()
        return answer

    def _access_token(self, application: Application, user: User, audience: str, permissions: list[str]) -> str:
        return self.keys.sign(
            {
                "aud": audience,
                "iss": f"https://sts.windows.net/{user.tenant.id}/",
                **lifetime_claims(self.access_token_lifetime),
                "appid": application.client_id,
                "oid": user.oid,
                "tid": user.tenant.id,
                "upn": user.upn,
                "preferred_username": user.upn,
                # Exchange looks up who may open which mailbox; Dovecot reads it from here.
                **({"full_access": user.full_access} if user.full_access else {}),
                "scp": " ".join(permissions),
                "sub": _subject(application, user),
                "uti": unique(),
                "ver": "1.0",
            }
        )

    def id_token_claims(self, application: Application, user: User, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, version 2.0."""
        claims = {
            "aud": application.client_id,
            "iss": f"{self.base}/{user.tenant.id}/v2.0",
            **lifetime_claims(timedelta(hours=1)),
            "name": user.upn.partition("@")[0],
            "oid": user.oid,
            "preferred_username": user.upn,
            "sub": _subject(application, user),
            "tid": user.tenant.id,
            "ver": "2.0",
        }
        roles = application.roles.get(user.upn.lower(), ())
        return claims | ({"roles": list(roles)} if roles else {}) | ({"nonce": nonce} if nonce else {})

    def app_token(self, tenant: Tenant, client_id: str, principal_id: str, resource: str) -> str:
        """A token of a managed identity for a resource."""
        # A token for an application of one's own is of version 2.0, with the other issuer.
        own = resource == TOKEN_EXCHANGE
        return self.keys.sign(
            {
                "aud": resource,
                "iss": f"{self.base}/{tenant.id}/v2.0" if own else f"https://sts.windows.net/{tenant.id}/",
                **lifetime_claims(timedelta(hours=24)),
                "appid": client_id,
                "oid": principal_id,
                "sub": principal_id,
                "tid": tenant.id,
                "ver": "2.0" if own else "1.0",
            }
        )


def _subject(application: Application, user: User) -> str:
    # Pairwise: another one for each application.
    return hashlib.sha256(f"{application.client_id}{user.oid}".encode()).hexdigest()
