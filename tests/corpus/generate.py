"""Writes the corpus: each mail as .eml, and beside it what reading it must give as .json.

`python -m tests.corpus.generate` after a change of the cases; a test says when it was forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.cases import charsets, dates, headers, hostile, quoting, reports, structure

FOLDER = Path(__file__).parent / "mails"
GROUPS = {
    "charsets": charsets.CASES,
    "dates": dates.CASES,
    "headers": headers.CASES,
    "hostile": hostile.CASES,
    "quoting": quoting.CASES,
    "reports": reports.CASES,
    "structure": structure.CASES,
}


def files() -> Iterator[tuple[Path, bytes]]:
    """Every file of the corpus, and its content."""
    for group, cases in GROUPS.items():
        for case in cases:
            yield FOLDER / group / f"{case.name}.eml", case.raw
            yield FOLDER / group / f"{case.name}.json", described(case)


def described(case: Case) -> bytes:
    return f"{json.dumps(case.expected, ensure_ascii=False, indent=2)}\n".encode()


def main() -> None:
    """Write what is missing or different, and remove what is no longer a case."""
    wanted = dict(files())
    for path in FOLDER.glob("*/*"):
        if path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{len(wanted) // 2} mails in {len(GROUPS)} groups")  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
