"""What of a turn's words is new, where its runtime tells the whole text so far each time.

A text that was handed on cannot be taken back: where the runtime begins anew, so is said. Only the
newest text is kept, so that a bus that is away costs no memory. It must not know who tells it.
"""

from __future__ import annotations

import threading

MOST_CHARS = 200_000
CUT_NOTE = "\n\n[More was said; it is not shown here.]\n"
ANEW_NOTE = "\n\n[Said anew:]\n\n"


class Words:
    """The whole text so far goes in, from any thread; what is new of it comes out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole = ""
        self._last = ""
        self._before = ""
        """What was handed on before the runtime began anew."""
        self._said = ""
        self._is_cut = False

    def tell(self, whole: str) -> None:
        """Take the text so far."""
        with self._lock:
            self._whole = whole

    def tell_last(self, last: str) -> None:
        """Take what was said last of all, where the text so far may have been missed."""
        with self._lock:
            self._last = last

    def resume(self, said: bytes) -> None:
        """Hear what was handed on in an earlier life."""
        text = said.decode("utf-8", "ignore")
        before, note, _ = text.rpartition(ANEW_NOTE)
        self._said, self._before = text, before + note
        self._is_cut = text.endswith(CUT_NOTE)

    def take(self) -> bytes:
        """Give what is new; empty where nothing is."""
        with self._lock:
            whole, last = self._whole.lstrip(), self._last.strip()
        new = self._compare(whole) if whole else ""
        self._said += new
        if last:
            added = self._add_last(last)
            self._said += added
            new += added
        return self._cut(new).encode("utf-8", "replace")

    def _compare(self, whole: str) -> str:
        full = self._before + whole
        if full.startswith(self._said):
            return full[len(self._said) :]
        if self._said.startswith(full):
            return ""
        self._before = self._said + ANEW_NOTE
        return ANEW_NOTE + whole

    def _add_last(self, last: str) -> str:
        """Give what of the last words is missing at the end of what was said."""
        said = self._said.rstrip()
        most = min(len(last), len(said))
        shared = next(count for count in range(most, -1, -1) if said.endswith(last[:count]))
        gap = "\n\n" if said and not shared else ""
        return gap + last[shared:]

    def _cut(self, new: str) -> str:
        """Keep a session readable: a turn may say without end."""
        if self._is_cut or not new:
            return ""
        if len(self._said) <= MOST_CHARS:
            return new
        self._is_cut = True
        return new[: max(0, len(new) - (len(self._said) - MOST_CHARS))] + CUT_NOTE
