"""Bytes as they come off a socket to whole lines, by the rules of the event-stream format.

Its own module because a chunk may end anywhere: inside a character, between CR and LF, inside
the byte order mark. It must not know what a line means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")  # never str.splitlines(): it also breaks at U+2028


class LineTooLongError(ValueError):
    """A line is longer than the limit: this is not the stream that was asked for."""


class LineDecoder:
    """Collects chunks and gives each line once its end was seen, without that end.

    A CR ends its line at once (waiting for a possible LF would hold an event back); an LF that
    then opens the next chunk belongs to that CR.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._partial = bytearray()
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Give the lines that this chunk completes.

        Raises:
            LineTooLongError: after the lines before it were given.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return
        self._after_cr = chunk.endswith(b"\r")
        *finished, rest = _LINE_END.split(chunk)
        for piece in finished:
            self._keep(piece)
            yield self._take()
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        self._partial += piece
        if len(self._partial) > self._max_line_bytes:
            raise LineTooLongError(f"a line is longer than {self._max_line_bytes} bytes")

    def _take(self) -> str:
        line = bytes(self._partial)
        self._partial.clear()
        if self._at_start:
            line = line.removeprefix(BYTE_ORDER_MARK)
            self._at_start = False
        return line.decode("utf-8", "replace")
