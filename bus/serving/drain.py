"""Whether the process is stopping; streams hear of it and say bye."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bus.live.hub import Hub

DRAIN = "drain"
"""The topic of all that must end when the process stops."""


class Drain:
    """A flag that is set once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.begun = False

    def begin(self) -> None:
        """Begin to stop: have every stream end."""
        self.begun = True
        self._hub.look_again({DRAIN})
