"""The whole cloud: everything started in the right order, and everything stopped."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from devcloud.azurite import Azurite
from devcloud.certificates import CertificateAuthority
from devcloud.clock import Clock
from devcloud.dovecot import MailServer
from devcloud.entra import Application, Entra, Tenant, User
from devcloud.functions import FunctionsHost
from devcloud.host import authentication
from devcloud.smtp import SubmissionServer
from devcloud.vault import Vault
from ticket_engine.settings import ANONYMOUS_PATHS, MAIL_CONTAINER, POISON_QUEUES, QUEUES, TABLES

DOMAIN = "contoso.example"


class DevCloud:
    """A small cloud of its own below ``folder``; a context manager.

    ``host`` starts the functions host too; ``settings`` are app settings that differ from devcloud's;
    ``mail_password`` opens the mail server to programs that know no OAuth.
    """

    def __init__(
        self,
        *,
        host: bool = False,
        folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
        mail_password: str = "",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._wants_host = host
        self._settings = dict(settings or {})
        self._mail_password = mail_password
        self._say = say
        self._given_folder = folder
        self._stack = ExitStack()
        self.clock = Clock()

    def __enter__(self) -> Self:
        """Start everything."""
        with self._stack:
            self._start()
            # Nothing failed: what was started stops with this cloud instead of now.
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything, last started first."""
        self._stack.close()

    def environment(self) -> dict[str, str]:
        """The app settings, and what the platform adds to them, as the app sees them in its environment."""
        return {
            "AzureWebJobsStorage": self.storage.connection_string,
            "STORAGE_TABLES_URL": self.storage.tables_url,
            "STORAGE_BLOBS_URL": self.storage.blobs_url,
            "KEY_VAULT_URL": self.vault.url,
            "AZURE_CLIENT_ID": self.identity.client_id,
            "AZURE_AUTHORITY_HOST": self.entra.url,
            "MAIL_POLL_SCHEDULE": "0 */10 * * * *",
            "TOKEN_REFRESH_SCHEDULE": "0 5-59/10 * * * *",
            "TASK_DELIVERY_SCHEDULE": "30 * * * * *",
            "TICKET_RETENTION_SCHEDULE": "0 20 * * * *",
            # Everything is on this machine.
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "SMTP_SERVER": self.submission.address,
            "PYTHON_THREADPOOL_THREAD_COUNT": "8",
            **self._settings,
            **self._platform(),
        }

    def authentication(self, session_seconds: int = 8 * 3600) -> dict[str, str]:
        """What the platform has where its authentication is on."""
        configuration = {
            "issuer": f"{self.entra.url}/{self.tenant.id}/v2.0",
            "client_id": self.console.client_id,
            "client_secret": self.console.client_secret,
            "excluded_paths": ANONYMOUS_PATHS,
            "session_seconds": session_seconds,
        }
        return {"WEBSITE_AUTH_ENABLED": "True", authentication.SETTING: json.dumps(configuration)}

    def write_env_file(self) -> Path:
        """Write everything that ``ticket-engine`` needs to work with this cloud, for ``TICKET_ENGINE_ENV``."""
        path = self.folder / "ticket-engine.env"
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in self.environment().items()))
        return path

    def join(self) -> None:
        """Make this process a part of the cloud until it stops: it trusts its authority and has its identity."""
        for name, value in self._platform().items():
            self._stack.callback(_restore, name, os.environ.get(name))
            os.environ[name] = value

    def add_application(self, name: str = "Ticket Engine") -> Application:
        """Register an application whose redirect URL is the app's callback."""
        return self.entra.add_application(name, self.tenant, [self.redirect_url])

    def add_account(self, username: str, tenant: Tenant | None = None) -> str:
        """Make an account with a mailbox, ``username`` at the domain of the cloud's or another tenant."""
        tenant = tenant or self.tenant
        address = f"{username}@{tenant.domain}"
        self.entra.add_user(address, tenant)
        return address

    def add_tenant(self, domain: str) -> Tenant:
        """Make another organisation's tenant, whose mailboxes are on the same mail server."""
        tenant = self.entra.add_tenant(domain)
        self.mail.trust(self._issuers())
        return tenant

    def add_person(self, username: str, *roles: str) -> User:
        """Make someone who may sign in to the console, with these app roles."""
        user = self.entra.add_user(f"{username}@{self.tenant.domain}", self.tenant)
        self.console.assign(user, *roles)
        return user

    @property
    def console_url(self) -> str:
        """The console's first page."""
        return f"{self.app_url}/api/console"

    @property
    def redirect_url(self) -> str:
        """The app's callback."""
        return f"{self.app_url}/api/oauth/callback"

    def _issuers(self) -> list[str]:
        return [f"https://sts.windows.net/{each.id}/" for each in self.entra.directory.tenants]

    def _platform(self) -> dict[str, str]:
        return {
            "IDENTITY_ENDPOINT": self.entra.identity_endpoint,
            "IDENTITY_HEADER": self.entra.identity_header,
            "REQUESTS_CA_BUNDLE": str(self.certificates.bundle),
            "SSL_CERT_FILE": str(self.certificates.bundle),
        }

    def _start(self) -> None:
        self._say("Starting devcloud")
        self.folder = self._given_folder or Path(tempfile.mkdtemp(prefix="devcloud-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._given_folder is None:
            self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.certificates = CertificateAuthority(self.folder / "certificates")
        self._start_identity()
        self._say("Starting storage (Azurite)")
        self.storage = Azurite(self.folder / "azurite", self.certificates, self._say)
        self._stack.callback(self.storage.stop)
        self._create_storage()
        self._say("Starting the mail server (Dovecot)")
        self.mail = MailServer(self.folder / "dovecot", self.certificates, self._issuers(), self._mail_password)
        self._stack.callback(self.mail.stop)
        self.entra.keys.write_public_keys(self.mail.keys)
        self.submission = SubmissionServer(self.certificates, self.entra.keys, self.mail.deliver)
        self._stack.callback(self.submission.stop)
        self._start_host()

    def _start_identity(self) -> None:
        self.entra = Entra(self.clock)
        self.entra.start(self.certificates)
        self._stack.callback(self.entra.stop)
        self.tenant = self.entra.add_tenant(DOMAIN)
        self.identity = self.entra.add_managed_identity(self.tenant)
        self.vault = Vault(self.entra, self.tenant, self.clock)
        self.vault.start(self.certificates)
        self._stack.callback(self.vault.stop)

    def _start_host(self) -> None:
        self.host = FunctionsHost(self.folder / "host", self.certificates)
        self.app_url = self.host.url
        # The platform's sign-in in front of the console: an app registration of its own, with app roles.
        self.console = self.entra.add_application(
            "Ticket Engine console", self.tenant, [self.app_url + authentication.CALLBACK_PATH]
        )
        self.operator = self.add_person("operator", "Operator")
        self.agent = self.add_person("agent", "Agent")
        if self._wants_host:
            self._say("Starting the functions host")
            self.host.start(self.environment() | self.authentication())
            self._stack.callback(self.host.stop)

    def _create_storage(self) -> None:
        from azure.data.tables import TableServiceClient
        from azure.storage.blob import BlobServiceClient
        from azure.storage.queue import QueueServiceClient

        connection, bundle = self.storage.connection_string, str(self.certificates.bundle)
        with TableServiceClient.from_connection_string(connection, connection_verify=bundle) as tables:
            for name in TABLES:
                tables.create_table(name)
        with BlobServiceClient.from_connection_string(connection, connection_verify=bundle) as blobs:
            blobs.create_container(MAIL_CONTAINER)
        with QueueServiceClient.from_connection_string(connection, connection_verify=bundle) as queues:
            for name in (*QUEUES, *POISON_QUEUES):
                queues.create_queue(name)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
