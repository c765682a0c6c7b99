"""``script/corpus DIR``: read every mail of a folder (.eml, .mbox, .box, .txt) and say how it went; it never raises."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ticket_engine.mime import display, extract, parse, read
from ticket_engine.records import MessageKind

_MAILS = {".eml", ".txt"}
_MAILBOXES = {".mbox", ".box"}
_SHOWN = 10


@dataclass
class Outcome:
    """How the mails of a folder were read; times are wall-clock seconds, each mail read whole and shown."""

    parsed: int = 0
    unparsed: int = 0
    octets: int = 0
    parse_seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)
    raised: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[float, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def mails(self) -> int:
        """How many mails there were."""
        return len(self.times)


def mails_in(folder: Path, unreadable: list[str]) -> Iterator[tuple[str, bytes]]:
    """Every mail below a folder (or in one file) with its name; files that can't be opened are named in the list."""
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in _MAILS | _MAILBOXES or not path.is_file():
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            unreadable.append(f"{path}: {error.strerror}")
            continue
        if suffix in _MAILBOXES or content.startswith(b"From "):
            yield from ((f"{path}#{number}", raw) for number, raw in enumerate(_of_mailbox(content), 1))
        else:
            yield str(path), content


def _of_mailbox(content: bytes) -> Iterator[bytes]:
    """The mails of an mbox file (RFC 4155), each without the line that begins it."""
    at = 0
    while at < len(content):
        following = content.find(b"\nFrom ", at)
        end = len(content) if following < 0 else following + 1
        mail = content[at:end]
        yield mail[mail.find(b"\n") + 1 :] if mail.startswith(b"From ") else mail
        at = end


def run(folder: Path, console: Console) -> Outcome:
    """Read every mail below a folder."""
    outcome = Outcome()
    with console.status("Reading…") as status:
        for name, raw in mails_in(folder, outcome.unreadable):
            started = time.perf_counter()
            try:
                parsed = parse(raw)
                outcome.parse_seconds += time.perf_counter() - started
                read(raw)
                display(raw, lambda attachment: attachment.section)
                for attachment in parsed.attachments:
                    extract(raw, attachment.section)
            except Exception as error:  # noqa: BLE001 - what it raises is what this program is to tell
                outcome.raised.append((name, f"{type(error).__name__}: {error}"))
            else:
                outcome.parsed += parsed.kind is MessageKind.PARSED
                outcome.unparsed += parsed.kind is MessageKind.UNPARSED
                outcome.problems.update([parsed.problem] if parsed.problem else [])
            outcome.octets += len(raw)
            outcome.times.append((time.perf_counter() - started, name))
            if outcome.mails % 100 == 0:
                status.update(f"Reading… {outcome.mails:,} mails")
    return outcome


def tell(outcome: Outcome, console: Console) -> None:
    """Print how it went."""
    size = outcome.octets / 1024**2
    rate = (outcome.mails - len(outcome.raised)) / outcome.parse_seconds if outcome.parse_seconds else 0
    console.print(f"{outcome.mails:,} mails, {size:,.1f} MiB", highlight=False)
    console.print(f"  parsed    {outcome.parsed:>9,}   ({rate:,.0f} mails/s as the poll reads them)", highlight=False)
    console.print(f"  unparsed  {outcome.unparsed:>9,}", highlight=False)
    console.print(f"  raised    {len(outcome.raised):>9,}", highlight=False)
    for problem, count in outcome.problems.most_common(_SHOWN):
        console.print(f"    {count:>7,}  {escape(problem)}", highlight=False)
    for name, error in outcome.raised[:_SHOWN]:
        console.print(f"    raised: {escape(name)}: {escape(error)}", highlight=False)
    for line in outcome.unreadable[:_SHOWN]:
        console.print(f"    could not be opened: {escape(line)}", highlight=False)
    console.print("The slowest, read whole and shown:", highlight=False)
    for seconds, name in sorted(outcome.times, reverse=True)[:5]:
        console.print(f"  {seconds * 1000:>9,.1f} ms  {escape(name)}", highlight=False)


def main() -> int:
    """Read; 0 when no mail raised, 1 when one did, 2 when there was none."""
    parser = argparse.ArgumentParser(prog="script/corpus", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder, or one file: .eml, .txt (a mail each), .mbox, .box")
    folder: Path = parser.parse_args().folder
    console = Console(soft_wrap=True)
    outcome = run(folder, Console(stderr=True))
    if not outcome.mails:
        console.print(f"There is no .eml, .txt, .mbox or .box file in {escape(str(folder))}.", highlight=False)
        return 2
    tell(outcome, console)
    return 1 if outcome.raised else 0


if __name__ == "__main__":
    sys.exit(main())
