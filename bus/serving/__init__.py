"""Running: gunicorn, draining, the one process."""

from __future__ import annotations
