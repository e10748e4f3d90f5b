"""The wake ledger: one row per generation, at most one open per agent."""

from __future__ import annotations
