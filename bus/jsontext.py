"""JSON on one line and in ASCII, so that nobody's text steers the terminal where it is shown.

One line, so that it can be a line of a stream. Most of what is said is ASCII as it is; what is not
is written again, every other character by its number.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

WRITE = msgspec.json.Encoder().encode
WRITE_ASCII = json.JSONEncoder(separators=(",", ":")).encode


def write_json(value: Any) -> bytes:
    """Write what is made of dicts, lists, texts, numbers and None."""
    data = WRITE(value)
    return data if data.isascii() else WRITE_ASCII(msgspec.to_builtins(value)).encode()
