"""Durable streams: bytes that are appended, kept, and read from any place, by an open protocol."""

from __future__ import annotations
