"""The board: tasks, who holds them, and who may move them."""

from __future__ import annotations
