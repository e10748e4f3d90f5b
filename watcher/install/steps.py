"""What is done step by step: told as it happens, or only told (`--dry-run`).

It must not know any step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Steps:
    """Tells and does; `open` collects what a person must still do, each a sentence."""

    def __init__(self, say: Callable[[str], None], *, is_dry: bool = False) -> None:
        self._say = say
        self.is_dry = is_dry
        self.open: list[str] = []

    def do(self, what: str, action: Callable[[], object]) -> None:
        """Do a step that changes something."""
        if not self.is_dry:
            action()
        self._say(f"{'would do' if self.is_dry else 'done'}: {what}")

    def kept(self, what: str) -> None:
        """Tell of something that is as it should be, or is left on purpose."""
        self._say(f"kept: {what}")

    def wait(self, what: str) -> None:
        """Announce what takes a while."""
        self._say(f"... {what}")

    def leave(self, what: str) -> None:
        """Tell of something that a person must do."""
        self.open.append(what)
        self._say(f"to do: {what}")
