"""The files that come with the pages, under an address that changes when any of them does.

They lie in one folder of that address, so that a script finds the others beside it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
VERSION_CHARS = 16


@cache
def files() -> dict[str, bytes]:
    """Read them all, once; there is no way from a request to any other file."""
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if kind_of(path.name)}


@cache
def version() -> str:
    """Name what they are together."""
    whole = hashlib.sha256()
    for name, content in files().items():
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:VERSION_CHARS]


def kind_of(name: str) -> str:
    """Give a file's media type, or nothing where it is none of these."""
    return KINDS.get(Path(name).suffix, "")


def address(name: str) -> str:
    """Give the path of one of them.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in files():
        raise KeyError(name)
    return f"/static/{version()}/{name}"
