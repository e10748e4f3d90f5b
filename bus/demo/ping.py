"""An agent that takes answers and says nothing: what it was sent goes into a file beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(path: Path) -> None:
    """Keep the message, for nobody else to read; print nothing, and so answer nothing."""
    with open(path, "a", encoding="utf-8", opener=_open_for_owner) as file:
        file.write(sys.stdin.read() + "\n")


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
