"""``python -m reference``: write the generated parts of the guides anew; ``--check`` only says which differ."""

from __future__ import annotations

import sys
from pathlib import Path

from reference.pages import differing, write

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Write, or check."""
    if "--check" in sys.argv[1:]:
        old = differing(ROOT)
        for path in old:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code says: run script/docs\n")
        return 1 if old else 0
    for path in write(ROOT):
        sys.stderr.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
