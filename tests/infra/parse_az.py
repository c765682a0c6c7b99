"""Run by Azure CLI's own Python: parses commands and writes the answers to a file.

The commands come as a JSON list on stdin; the file is the argument, because the CLI itself writes to stdout.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from azure.cli.core import get_default_cli  # type: ignore[import-not-found,import-untyped,unused-ignore]


def parse(arguments: list[str]) -> tuple[int, str]:
    """The exit status, 2 where the parser refuses the command, and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = get_default_cli().invoke(arguments)
        except SystemExit as ended:
            status = ended.code
    return int(status or 0), said.getvalue()


Path(sys.argv[1]).write_text(json.dumps([parse(each) for each in json.load(sys.stdin)]))
