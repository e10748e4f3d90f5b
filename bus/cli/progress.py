"""Long work on a terminal: a bar for each step. Where nobody looks, nothing is written."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from bus.store.copying import silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.store.copying import Progress


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Give what long work tells how far it is: `(step, done, whole)`."""
    with ExitStack() as held:
        yield Bars(held).tell if sys.stderr.isatty() else silent


class Bars:
    """One bar after another, on standard error."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._step = ""

    def tell(self, step: str, done: int, whole: int) -> None:
        """Move the bar of a step; a new step ends the one before."""
        if step != self._step:
            self._held.close()
            self._step = step
            bar = click.progressbar(length=max(whole, 1), label=f"{step:<9}", file=sys.stderr)
            self._bar = self._held.enter_context(bar)
        self._bar.update(done - self._bar.pos)
