"""Reads JSON that a person wrote: comments, trailing commas, bare keys, single quotes.

OpenClaw takes JSON5 for its configuration; this is the part of it that people use, in one
linear pass. It must not know what the text is about.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<double>"(?:[^"\\]|\\.)*")
      | (?P<single>'(?:[^'\\]|\\.)*')
      | (?P<mark>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,"'/]+)""",
    re.VERBOSE | re.DOTALL,
)
_JSON_WORD = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_QUOTE = re.compile(r"\\.|\"", re.DOTALL)
_CLOSING = ("}", "]")


def loads(text: str) -> Any:
    """Read it.

    Raises:
        ValueError: it is neither JSON nor the part of JSON5 that is known here.
    """
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except ValueError:
        pass
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    try:
        return json.loads("".join(_tidy(list(_split(text)))))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _split(text: str) -> Iterator[str]:
    """Give the pieces that mean something, each as JSON would write it."""
    position = 0
    while position < len(text):
        found = _PIECE.match(text, position)
        if found is None:
            raise ValueError(f"cannot read it from character {position}")
        position = found.end()
        if found.lastgroup != "skip":
            yield _rewrite(found.lastgroup, found.group())


def _rewrite(kind: str | None, piece: str) -> str:
    if kind == "single":
        return f'"{_QUOTE.sub(_requote, piece[1:-1])}"'
    if kind == "double":
        return piece.replace("\\\n", "")
    if kind == "word" and not _JSON_WORD.fullmatch(piece):
        return json.dumps(piece)
    return piece


def _requote(found: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(found[0], found[0])


def _tidy(pieces: list[str]) -> Iterator[str]:
    """Leave out the commas before a closing bracket."""
    for index, piece in enumerate(pieces):
        after = pieces[index + 1] if index + 1 < len(pieces) else ""
        if piece != "," or after not in _CLOSING:
            yield piece
