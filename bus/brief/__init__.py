"""The brief: what happened since one looked last, from all rooms, by thread."""

from __future__ import annotations
