"""An agent that answers: it counts the words of what it was sent."""

from __future__ import annotations

import sys


def main() -> None:
    """Read a message and print the answer."""
    words = len(sys.stdin.read().split())
    sys.stdout.write(f"pong: I was asleep, was woken and read {words} words.\n")


if __name__ == "__main__":
    main()
