"""Who sees whom: pure."""

from __future__ import annotations

OPEN = "open"
"""The compartment of everyone who was put in none."""


def may_see(one: frozenset[str], other: frozenset[str]) -> bool:
    """Say whether two share a compartment."""
    return bool(one & other)
