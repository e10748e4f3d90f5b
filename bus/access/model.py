"""Who may be at the other end of a request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["agent", "person", "node", "admin"]


@dataclass(frozen=True)
class Principal:
    """Whose token it was. `participant_id` for agents and people, `node_id` for nodes."""

    kind: Kind
    name: str
    token_id: str
    participant_id: int | None = None
    node_id: int | None = None
    compartments: frozenset[str] = frozenset()
    trust: str = "peer"

    @cached_property
    def id(self) -> str:
        """Name the principal for limits and keys: the same over all of its tokens."""
        return f"{self.kind}:{self.participant_id or self.node_id or self.token_id}"
