"""Several bus processes on one database: hints between them, who lives, what one does for all."""

from __future__ import annotations
