"""Notices: telling people who are away, by ntfy, a webhook or email, that something waits."""

from __future__ import annotations
