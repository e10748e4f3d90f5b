"""What is pushed: who listens, the bytes of a stream, replay and then live."""

from __future__ import annotations
