"""An agent that takes answers and says nothing: what it was sent goes into a file beside it."""

from __future__ import annotations

import sys
from pathlib import Path


def main(path: Path) -> None:
    """Keep the message; print nothing, and so answer nothing."""
    with path.open("a", encoding="utf-8") as file:
        file.write(sys.stdin.read() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
