"""JSON that came over a network: whatever it is, it is read or refused, and nothing else happens.

It must not know who sent it.
"""

from __future__ import annotations

import json
from typing import Any

LARGEST = 1 << 53  # beyond it, JSON's numbers are not whole numbers everywhere


def read(data: str | bytes) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: it is none, or one that nests too deeply to be read.
    """
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def whole(value: Any) -> int:
    """Give a whole number from 0 up; anything else counts as 0."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= LARGEST else 0
