"""Pure decisions of the directory: names, codes, paths that may stand in a command."""

from __future__ import annotations

import re

from bus.config import is_plain_url
from bus.directory.model import RESERVED
from bus.errors import InvalidRequestError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
HEADER_DIR = re.compile(r"[A-Za-z0-9_./$-]{1,200}")
CODE_GROUP = 4


def check_name(name: str) -> str:
    """Refuse a name that cannot be an address."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise InvalidRequestError(
            f"{name[:70]!r} cannot be a name: lower-case letters, digits, dot, dash and underscore,"
            f" at most 64, and none of {', '.join(sorted(RESERVED))}"
        )
    return name


def check_url(url: str) -> str:
    """Refuse an address that could not stand in an agent's command as it is."""
    if not is_plain_url(url):
        raise InvalidRequestError(f"'url' is a plain http(s) address, not {url[:80]!r}")
    return url.rstrip("/")


def check_header_dir(path: str) -> str:
    """Refuse a folder that could not stand in an agent's command as it is."""
    if not HEADER_DIR.fullmatch(path):
        raise InvalidRequestError(f"'header_dir' is a plain path, not {path[:80]!r}")
    return path.rstrip("/")


def bare_code(code: str) -> str:
    """Read a code as typed: with or without dashes, in any case."""
    return code.replace("-", "").replace(" ", "").upper()


def grouped_code(code: str) -> str:
    """Write a code for a person to type."""
    return "-".join(code[at : at + CODE_GROUP] for at in range(0, len(code), CODE_GROUP))
