"""A process of the bus among the others on its database, or by itself.

By itself, as on SQLite, it asks nobody and writes nothing: what one does for all is its own to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.live.others import Others
from bus.store.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Collection

    from bus.web.runtime import Runtime


class Fleet:
    """One process that has its database for itself."""

    is_shared = False
    """Whether other processes may have the database open too."""

    def __init__(self, process_id: str) -> None:
        self.id = process_id
        self.live: int = 1
        """How many processes there are."""
        self.others = Others()
        self.keeping: Lease = Lease()
        """Doing what is due."""
        self.noticing: Lease = Lease()
        """Sending notices."""

    def start(self, run: Runtime) -> None:
        """Begin to live with the others."""

    def leave(self) -> None:
        """Say that this process ends."""

    def tell(self, topics: Collection[str] | None) -> None:
        """Have the others look again at some topics; None: at everything."""

    def speak(self, *, is_news: bool) -> None:
        """Be heard by the others; `is_news`: what this process holds has changed."""

    def stamp(self) -> int:
        """Give a number above all that were given before, at whichever process."""
        return 0

    def draw(self, name: str, rate_per_s: float, burst: int, block: int) -> tuple[int, float]:
        """Take up to a block of a bucket of all processes; gives how much, and what is left.

        Raises:
            StorageFailedError: nobody can say.
        """
        del name, rate_per_s
        return block, float(burst)

    @property
    def trouble(self) -> str:
        """Why the others cannot be asked, where that is so."""
        return ""

    @property
    def hints_lost(self) -> int:
        """How often hints were heard no more."""
        return 0
