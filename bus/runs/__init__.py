"""Background runs: work that outlives the turn of whoever dispatched it."""

from __future__ import annotations
