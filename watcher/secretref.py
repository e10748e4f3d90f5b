"""Resolves the ways in which OpenClaw writes a secret: plain, by environment variable, by file.

What only OpenClaw can open (a store, a program that is asked) is refused with a sentence that
says so. It must not know what a secret is for.
"""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SECRET_FILE_BYTES = 1 << 20
MAX_DOTENV_BYTES = 256 << 10
_VARIABLE = re.compile(r"\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z][A-Z0-9_]*))")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")


class UnreadableSecretError(Exception):
    """The secret is not to be had from here; the message never contains it."""


def resolve(
    value: Any, secrets: Mapping[str, Any], environment: Mapping[str, str], base: Path
) -> str:
    """Give the secret; "" where there is none. `secrets` is that section of the configuration.

    Raises:
        UnreadableSecretError: there is one, and it cannot be read from here.
    """
    if isinstance(value, str):
        found = _VARIABLE.fullmatch(value.strip())
        return environment.get(found.group(1) or found.group(2), "") if found else value.strip()
    if not isinstance(value, dict):
        return ""
    source, identity = value.get("source"), str(value.get("id", ""))
    if source == "env":
        return environment.get(identity, "")
    if source == "file":
        return _read_file(str(value.get("provider", "")), identity, secrets, base)
    raise UnreadableSecretError(
        f"a secret of source {source!r} can be read by OpenClaw alone; set it as an"
        " environment variable or in a file"
    )


def _read_file(provider: str, identity: str, secrets: Mapping[str, Any], base: Path) -> str:
    entry = _entry(secrets, provider)
    path = Path(str(entry.get("path", ""))).expanduser()
    try:
        text = _read_private(path if path.is_absolute() else base / path)
        if entry.get("mode") == "singleValue":
            return text.rstrip("\n")
        return _point(json.loads(text), identity)
    except (OSError, ValueError) as error:
        raise UnreadableSecretError(f"the secret file {path} cannot be read: {error}") from error


def _entry(secrets: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
    providers = secrets.get("providers")
    entry = providers.get(provider) if isinstance(providers, dict) else None
    if not isinstance(entry, dict) or entry.get("source") != "file":
        raise UnreadableSecretError(f"secrets.providers has no file provider {provider!r}")
    return entry


def _read_private(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ValueError(f"others can read it; run: chmod 600 '{path}'")
        return file.read(MAX_SECRET_FILE_BYTES)


def _point(value: Any, pointer: str) -> str:
    """Follow a JSON pointer to a text."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"nothing stands at {pointer!r}")
        value = value[key]
    if not isinstance(value, str):
        raise ValueError(f"no text stands at {pointer!r}")  # noqa: TRY004 - a wrong file
    return value


def read_dotenv(path: Path) -> dict[str, str]:
    """Give the assignments of OpenClaw's own `.env`; none where it is not there."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.read(MAX_DOTENV_BYTES).splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = (_ASSIGNMENT.fullmatch(line) for line in lines if not line.lstrip().startswith("#"))
    return {match.group(1): _unquote(match.group(2)) for match in found if match}


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
