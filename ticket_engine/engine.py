"""The engine: every part of the domain, put together from the settings."""

from __future__ import annotations

from functools import cached_property

from ticket_engine.clock import Clock, utc_now
from ticket_engine.health import Health
from ticket_engine.intake.poll import Poller
from ticket_engine.intake.quarantine import Quarantine
from ticket_engine.mail import open_source
from ticket_engine.oauth.applications import Applications
from ticket_engine.oauth.connection import Connector
from ticket_engine.oauth.consent import Consent
from ticket_engine.oauth.credentials import Credentials
from ticket_engine.oauth.expiry import ExpiryWatch
from ticket_engine.oauth.id_token import IdTokenVerifier
from ticket_engine.oauth.refusals import Refusals
from ticket_engine.oauth.tokens import TokenBroker
from ticket_engine.operations import MailboxSetup, Overview, Probe, SetupFile, TicketTypeSetup
from ticket_engine.settings import Settings
from ticket_engine.store import Stores
from ticket_engine.store.clients import Clients
from ticket_engine.tasks.delivery import Outbox
from ticket_engine.tasks.task import Services
from ticket_engine.tickets import Erasure, Replay, Retention, RuleTrial, TicketExport, TicketList, TicketWork


class Engine:
    """Holds one of each part, made at first use; one engine a process."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.clients = Clients(settings)
        self.stores = Stores(self.clients)

    @classmethod
    def from_environment(cls) -> Engine:
        """The engine that the app settings describe; raises SettingError when one is wrong."""
        return cls(Settings.from_environment())

    @cached_property
    def applications(self) -> Applications:
        """The applications' MSAL clients."""
        credentials = Credentials(self.stores.vault, self.clients.federated_assertion)
        refusals = Refusals(self.stores.credentials, self.clock)
        return Applications(self.settings.authority_host, credentials, refusals)

    @cached_property
    def broker(self) -> TokenBroker:
        """Access tokens and rotation."""
        return TokenBroker(
            self.stores,
            applications=self.applications,
            clock=self.clock,
            rotate_after=self.settings.token_rotate_after,
        )

    @cached_property
    def connector(self) -> Connector:
        """Connections: by a consent, or by a token that was obtained by hand."""
        return Connector(
            self.stores,
            applications=self.applications,
            id_tokens=IdTokenVerifier(self.settings.authority_host),
            broker=self.broker,
            log_in=open_source,
            clock=self.clock,
        )

    @cached_property
    def consent(self) -> Consent:
        """Consents."""
        return Consent(self.stores, applications=self.applications, connector=self.connector, clock=self.clock)

    @cached_property
    def expiry(self) -> ExpiryWatch:
        """The watch over what ends."""
        return ExpiryWatch(self.stores, self.clock)

    @cached_property
    def poller(self) -> Poller:
        """Polls."""
        return Poller(
            self.stores,
            broker=self.broker,
            log_in=open_source,
            clock=self.clock,
            time_budget=self.settings.poll_time_budget,
            max_message_bytes=self.settings.max_message_bytes,
        )

    @cached_property
    def quarantine(self) -> Quarantine:
        """Mails that wait for a human."""
        return Quarantine(self.stores, clock=self.clock)

    @cached_property
    def health(self) -> Health:
        """Health."""
        return Health(self.stores, self.clock, self.settings.mail_poll_schedule)

    @cached_property
    def mailbox_setup(self) -> MailboxSetup:
        """Adding, changing and removing mailboxes."""
        return MailboxSetup(self.stores, consent=self.consent, connector=self.connector, clock=self.clock)

    @cached_property
    def ticket_type_setup(self) -> TicketTypeSetup:
        """Adding, changing and removing ticket types."""
        return TicketTypeSetup(self.stores, clock=self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        """Webhook posts and notifications."""
        services = Services(self.stores, broker=self.broker, settings=self.settings, clock=self.clock)
        return Outbox(services)

    @cached_property
    def ticket_list(self) -> TicketList:
        """Lists and searches of tickets."""
        return TicketList(self.stores)

    @cached_property
    def tickets(self) -> TicketWork:
        """Reading and changing tickets."""
        return TicketWork(self.stores, clock=self.clock)

    @cached_property
    def ticket_export(self) -> TicketExport:
        """Tickets as files."""
        return TicketExport(self.stores)

    @cached_property
    def replay(self) -> Replay:
        """Reading again what could not be read."""
        return Replay(self.stores, clock=self.clock)

    @cached_property
    def erasure(self) -> Erasure:
        """Erasing a person's mail."""
        return Erasure(self.stores, clock=self.clock)

    @cached_property
    def retention(self) -> Retention:
        """Removing closed tickets by age."""
        return Retention(self.stores, clock=self.clock)

    @cached_property
    def rule_trial(self) -> RuleTrial:
        """Trying ticket types on stored mails."""
        return RuleTrial(self.stores)

    @cached_property
    def setup_file(self) -> SetupFile:
        """The set-up as a file."""
        return SetupFile(self.stores, self.mailbox_setup, self.ticket_type_setup)

    @cached_property
    def overview(self) -> Overview:
        """Every mailbox at a glance."""
        return Overview(self.stores, health=self.health, clock=self.clock)

    @cached_property
    def probe(self) -> Probe:
        """The test of a mailbox, step by step."""
        return Probe(self.stores, broker=self.broker, log_in=open_source)
