"""Where facts live: the schema, the engines, the single writer, the log and the migrations."""

from __future__ import annotations
