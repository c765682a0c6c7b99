"""What people really send: mails written for this project, as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A mail and what it is an example of."""

    name: str
    raw: bytes


def samples() -> tuple[Sample, ...]:
    """Every sample, in an order in which each reply comes after its parent."""
    files = sorted(Path(__file__).parent.glob("*.eml"))
    return tuple(Sample(each.stem, each.read_bytes()) for each in files)
