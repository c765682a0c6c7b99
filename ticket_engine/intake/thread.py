"""Which ticket a mail belongs to: by what it answers, else by a ticket's code from someone who takes part in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ticket_engine.intake.fingerprint import message_id_prefix
from ticket_engine.mime import OWN_MESSAGE_ID
from ticket_engine.records import Message, Ticket, is_ticket_id, spoken_ticket_id
from ticket_engine.store.rows import Stored

if TYPE_CHECKING:
    from ticket_engine.mime import Parsed
    from ticket_engine.store.tickets import TicketTable

# A thread lists its ancestors nearest first; the nearest and the root find the ticket, or nothing does.
_NEAREST = 7
# What a subject says ("[#0Q2M4N7KXABC]").
_CODE = re.compile(r"\[#([0-9A-Za-z]{12})\]")
# Who takes part in a ticket is read from so many of its messages, the first and the last ones.
_ENDS = 20
_LONGEST_CHAIN = 20
# A ticket's row names all of its messages; a longer thread (a loop, a monitor) goes on in a new ticket.
MAX_MESSAGES = 5_000


def ticket_code(ticket: str) -> str:
    """What names a ticket in a subject, so that an answer finds it."""
    return f"[#{ticket}]"


@dataclass
class Thread:
    """Mails of one page that belong to one ticket, in the page's order.

    ``ticket`` is the stored one, None for a new one; ``merged`` are other tickets that one of the mails answers too.
    """

    keys: list[str] = field(default_factory=list)
    ticket: Stored[Ticket] | None = None
    merged: list[Stored[Ticket]] = field(default_factory=list)


class Threads:
    """Threads the mails of a mailbox.

    The order: what a mail says that it answers (In-Reply-To, or the mail that a delivery report returns), else its
    nearest known reference, else a ticket's code in its subject when its sender takes part in that ticket. Never the
    subject alone. A mail that answers several tickets joins the oldest, and merges into it those that its sender
    takes part in.
    """

    def __init__(self, tickets: TicketTable, mailbox_id: str, *, own_address: str, admins: Iterable[str]) -> None:
        self._tickets = tickets
        self._mailbox_id = mailbox_id
        self._own_address = own_address.casefold()
        self._admins = {each.casefold() for each in admins}

    def of(self, page: Mapping[str, Parsed]) -> list[Thread]:
        """The threads of a page of mails (by key), in the order of their first mails."""
        return _Page(page, self).threads()

    def by_message_ids(self, message_ids: Sequence[str]) -> dict[str, str]:
        """The tickets of those of these Message-IDs that are stored."""
        prefixes = {each: message_id_prefix(each) for each in message_ids}
        found = self._tickets.tickets_by_prefix(self._mailbox_id, sorted(set(prefixes.values())))
        return {each: found[prefix] for each, prefix in prefixes.items() if prefix in found}

    def stored(self, ticket_id: str) -> Stored[Ticket] | None:
        """The ticket that goes on under this id, following merges; None when it is gone or full."""
        found = self._tickets.ticket(self._mailbox_id, ticket_id)
        for _ in range(_LONGEST_CHAIN):
            if found is None or not found.record.merged_into:
                break
            found = self._tickets.ticket(self._mailbox_id, found.record.merged_into)
        return None if found is None or found.record.messages >= MAX_MESSAGES else found

    def takes_part(self, sender: str, ticket: Ticket) -> bool:
        """Whether this address is a sender's, a recipient's or the admin's of a ticket."""
        if not sender or sender == self._own_address:
            # Every mail of the mailbox names its own address.
            return False
        if sender in self._admins or sender in {ticket.assignee.casefold(), ticket.sender_address}:
            return True
        keys = ticket.message_keys
        ends = dict.fromkeys([*keys[:_ENDS], *keys[-_ENDS:]])
        return any(sender in people_of(each) for each in self._tickets.messages_by_key(self._mailbox_id, [*ends]))


def people_of(message: Message) -> set[str]:
    """The addresses of a message's sender and recipients."""
    return {message.sender_address, *message.recipients.split(", ")} - {""}


def code_in(parsed: Parsed) -> str:
    """The id of the ticket that a mail names: in its subject, or by answering a notification; empty when none."""
    candidates = [*_CODE.findall(parsed.subject), *OWN_MESSAGE_ID.findall(" ".join(parsed.references))]
    return next((each for each in map(spoken_ticket_id, candidates) if is_ticket_id(each)), "")


def answered(parsed: Parsed) -> tuple[str, ...]:
    """The Message-IDs that a mail says it answers: of the mail that a delivery report returns, and In-Reply-To."""
    return tuple(dict.fromkeys((*parsed.reported, *parsed.in_reply_to)))


def ancestors(parsed: Parsed) -> list[str]:
    """The references worth a look-up, nearest first: the nearest ones and the root."""
    left = [each for each in parsed.references if each not in parsed.in_reply_to]
    return [*left[:_NEAREST], *left[_NEAREST:][-1:]]


class _Page:
    """The threads of one page: its mails in groups, each with the stored tickets that it belongs to."""

    def __init__(self, page: Mapping[str, Parsed], threads: Threads) -> None:
        self._page = page
        self._threads = threads
        self._group = {key: key for key in page}
        self._tickets: dict[str, dict[str, Stored[Ticket]]] = {}
        self._local: dict[str, str] = {}
        for key, each in page.items():
            if each.message_id:
                self._local.setdefault(each.message_id, key)
        self._known: dict[str, str] = {}

    def threads(self) -> list[Thread]:
        self._look_up(self._outside(map(answered, self._page.values())))
        orphans = [key for key, each in self._page.items() if not self._joined(key, answered(each))]
        # Nearest first, one generation a round, so that nothing is asked once a nearer reference is known.
        trails = {key: ancestors(self._page[key]) for key in orphans}
        for generation in range(_NEAREST + 1):
            asked = {key: trail[generation] for key, trail in trails.items() if generation < len(trail)}
            if not asked:
                break
            self._look_up(self._outside((each,) for each in asked.values()))
            for key, reference in asked.items():
                if self._joined(key, (reference,)):
                    del trails[key]
        for key in trails:
            self._join_by_code(key)
        return self._grouped()

    def _outside(self, references: Iterable[Sequence[str]]) -> list[str]:
        asked = dict.fromkeys(each for some in references for each in some)
        return [each for each in asked if each not in self._local and each not in self._known]

    def _look_up(self, message_ids: list[str]) -> None:
        if message_ids:
            found = self._threads.by_message_ids(message_ids)
            self._known |= {each: found.get(each, "") for each in message_ids}

    def _joined(self, key: str, references: Sequence[str]) -> bool:
        """Join what these references name; the first is the mail's place, the others only merge for a participant."""
        joined = False
        # Nobody merges under a forged name.
        for reference in references[:1] if self._page[key].forged else references:
            other = self._local.get(reference)
            if other is not None and other != key:
                parent = self._page[other]
                if not joined or self._page[key].author in {parent.sender.address, *parent.addressed}:
                    self._unite(key, other)
                    joined = True
            elif self._known.get(reference):
                joined = self._attach(key, self._known[reference], as_participant=joined) or joined
        return joined

    def _join_by_code(self, key: str) -> None:
        code = code_in(self._page[key])
        if code and not self._page[key].forged:
            self._attach(key, code, as_participant=True)

    def _attach(self, key: str, ticket_id: str, *, as_participant: bool) -> bool:
        stored = self._threads.stored(ticket_id)
        if stored is None:
            return False
        if as_participant and not self._threads.takes_part(self._page[key].author, stored.record):
            return False
        self._tickets.setdefault(self._root(key), {})[stored.record.id] = stored
        return True

    def _root(self, key: str) -> str:
        while self._group[key] != key:
            key = self._group[key]
        return key

    def _unite(self, key: str, other: str) -> None:
        root, joining = self._root(other), self._root(key)
        if root != joining:
            self._group[joining] = root
            tickets = self._tickets.pop(joining, {})
            self._tickets.setdefault(root, {}).update(tickets)

    def _grouped(self) -> list[Thread]:
        """The groups as threads; those that share a stored ticket are one."""
        threads: dict[str, Thread] = {}
        owner: dict[str, str] = {}
        for root in dict.fromkeys(map(self._root, self._page)):
            shared = [owner[each] for each in self._tickets.get(root, {}) if each in owner]
            for each in shared:
                self._unite(each, root)
            owner |= dict.fromkeys(self._tickets.get(self._root(root), {}), self._root(root))
        for key in self._page:
            thread = threads.setdefault(self._root(key), Thread())
            thread.keys.append(key)
        for root, thread in threads.items():
            # An id counts its ticket's creation down: the largest is the oldest.
            oldest_first = sorted(self._tickets.get(root, {}).values(), key=lambda each: each.record.id, reverse=True)
            thread.ticket, thread.merged = next(iter(oldest_first), None), oldest_first[1:]
        return list(threads.values())
