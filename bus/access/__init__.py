"""Access: principals, tokens, compartments, the shared secret."""

from __future__ import annotations
