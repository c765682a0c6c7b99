"""Mails that could not be ingested: how often each was tried, and when it is left to a human."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

# Polls that try a mail before it is quarantined; at every ten minutes that is the better part of an hour.
MAX_TRIES = 5
# More mails than this in trouble at once are the server's trouble, not theirs; the others wait uncounted.
MAX_COUNTED = 50
_MAX_PROBLEM = 200


@dataclass(frozen=True)
class Trouble:
    """One mail's: the tries that failed, since when, and what went wrong last."""

    tries: int
    first_at: datetime
    problem: str

    @property
    def hopeless(self) -> bool:
        """Whether it was tried often enough."""
        return self.tries >= MAX_TRIES


class Troubles:
    """Every mail of a mailbox that is in trouble, by its item id."""

    def __init__(self, by_item: Mapping[str, Trouble] | None = None) -> None:
        self._by_item = dict(by_item or {})

    @classmethod
    def decode(cls, text: str) -> Troubles:
        """Read what ``encode`` wrote; an empty text is none."""
        rows = json.loads(text) if text else []
        return cls({item: Trouble(tries, datetime.fromisoformat(at), problem) for item, tries, at, problem in rows})

    def encode(self) -> str:
        """As one text of the mailbox's state."""
        rows = [[item, each.tries, each.first_at.isoformat(), each.problem] for item, each in self._by_item.items()]
        return json.dumps(rows, ensure_ascii=False) if rows else ""

    def failed(self, item_id: str, problem: str, now: datetime) -> Trouble:
        """Count one more failed try."""
        known = self._by_item.get(item_id)
        tries, since = (known.tries, known.first_at) if known else (0, now)
        trouble = Trouble(tries + 1, since, problem[:_MAX_PROBLEM])
        if known or len(self._by_item) < MAX_COUNTED:
            self._by_item[item_id] = trouble
        return trouble

    def over(self, item_id: str) -> None:
        """Forget a mail: it was ingested, quarantined, or is gone."""
        self._by_item.pop(item_id, None)
