"""The guard: keeps agents that answer each other from talking without end."""

from __future__ import annotations
