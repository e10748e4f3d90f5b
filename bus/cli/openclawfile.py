"""Reads which agents an `openclaw.json` has: the ids, what people call them, their main session.

OpenClaw takes JSON5, so comments, trailing commas, bare keys and single quotes are read. The file
has secrets too: nothing else of it is looked at. It must not know what the bus has.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PIECE = re.compile(
    r"""(?P<aside>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<mark>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,"'/]+)""",
    re.VERBOSE | re.DOTALL,
)
VALUE = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
IN_QUOTES = re.compile(r"\\.|\"", re.DOTALL)
REQUOTED = {"\\'": "'", '"': '\\"', "\\\n": ""}


@dataclass(frozen=True)
class Found:
    """An agent of the file."""

    id: str
    display_name: str
    session_key: str


def read_agents(text: str) -> list[Found]:
    """Give the agents of a configuration; OpenClaw's own `main` where it names none.

    Raises:
        ValueError: it is no configuration of OpenClaw, or its agents stand in another file.
    """
    raw = read_relaxed(text)
    if not isinstance(raw, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - a wrong file, not a wrong call
    agents = part(raw, "agents")
    entries, listed = agents.get("entries"), agents.get("list")
    if any("$include" in place for place in (raw, agents, part(agents, "entries"))):
        raise ValueError("its agents stand in a file that it includes: name that one's whole")
    if isinstance(entries, dict) and entries:
        named = {str(key): part(entries, key) for key in entries}
    elif isinstance(listed, list) and listed:
        named = {str(one.get("id")): one for one in listed if isinstance(one, dict) and "id" in one}
    else:
        named = {"main": {}}
    main = part(raw, "session").get("mainKey")
    session = main if isinstance(main, str) and main else "main"
    return [
        Found(key.lower(), display_name(entry), f"agent:{key.lower()}:{session}")
        for key, entry in named.items()
    ]


def display_name(entry: Mapping[str, Any]) -> str:
    """Give what people call an agent: what it says of its identity, or its entry's name."""
    known = (part(entry, "identity").get("name"), entry.get("name"))
    return next((name for name in known if isinstance(name, str) and name), "")


def part(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Give a part that is an object; whatever else stands there counts as absent."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def read_relaxed(text: str) -> Any:
    """Read JSON as a person writes it.

    Raises:
        ValueError: it is not even that.
    """
    pieces = list(split(text.removeprefix("\ufeff")))
    closed = [*pieces[1:], ""]
    kept = (
        piece
        for piece, after in zip(pieces, closed, strict=True)
        if piece != "," or after not in {"}", "]"}
    )
    try:
        return json.loads("".join(kept))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def split(text: str) -> Iterator[str]:
    """Give the pieces that mean something, each as JSON would write it."""
    at = 0
    while at < len(text):
        found = PIECE.match(text, at)
        if found is None:
            raise ValueError(f"line {text.count(chr(10), 0, at) + 1} cannot be read")
        at, piece = found.end(), found.group()
        if found.lastgroup == "text":
            yield '"' + IN_QUOTES.sub(lambda it: REQUOTED.get(it[0], it[0]), piece[1:-1]) + '"'
        elif found.lastgroup == "word" and not VALUE.fullmatch(piece):
            yield json.dumps(piece)
        elif found.lastgroup != "aside":
            yield piece
