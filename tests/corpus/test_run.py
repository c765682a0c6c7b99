"""``script/corpus``: any folder of mails, counted and timed."""

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from tests.corpus.case import plain
from tests.corpus.run import run

ROOT = Path(__file__).parents[2]
MAIL = plain("Subject: One", body="Hello.\n>From here on it is quoted.\n")


def folder(path: Path) -> Path:
    (path / "deep").mkdir()
    (path / "deep" / "one.eml").write_bytes(MAIL)
    (path / "two.mbox").write_bytes(
        b"From a Mon Nov 23 08:12:40 2026\n" + MAIL + b"\nFrom b Mon Nov 23 08:12:41 2026\n" + MAIL
    )
    (path / "three.txt").write_bytes(b"no mail at all")
    (path / "four.pdf").write_bytes(b"not asked for")
    return path


def test_every_mail_of_a_folder_is_read_those_in_mailbox_files_one_by_one(tmp_path: Path) -> None:
    outcome = run(folder(tmp_path), Console(quiet=True))
    assert (outcome.mails, outcome.parsed, outcome.unparsed, outcome.raised) == (4, 3, 1, [])
    assert outcome.problems == {"The mail has no header.": 1}
    assert sum(name.endswith((".mbox#1", ".mbox#2")) for _, name in outcome.times) == 2


def test_the_command_tells_the_counts_and_fails_where_there_is_no_mail(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.corpus.run"]
    told = subprocess.run([*command, folder(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    counts = dict(
        line.split()[:2] for line in told.stdout.splitlines() if line.startswith("  ") and line.split()[0].isalpha()
    )
    assert counts == {"parsed": "3", "unparsed": "1", "raised": "0"}
    assert (
        subprocess.run([*command, tmp_path / "deep" / "none"], cwd=ROOT, capture_output=True, check=False).returncode
        == 2
    )
