"""The calls about what is said word by word: begin, go on, end, and read along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.sessioncalls import path_of

if TYPE_CHECKING:
    from bus.client.asking import Json

CONTENT_TYPE = "text/plain; charset=utf-8"
POLL_S = 20.0
BEGINNING = "-1"


@dataclass(frozen=True)
class Heard:
    """What was said after a place: where to go on, and whether nothing more comes."""

    data: bytes
    offset: str
    is_over: bool


class OutputCalls(Asking):
    """Outputs of sessions, and the streams that their words go through."""

    def begin_output(self, session_id: str, **fields: Any) -> Json:
        """Begin to say something: `lease_s`, `content_type`."""
        return self._ask("POST", path_of(session_id, "outputs"), json=fields)

    def add_words(self, stream: str, data: bytes, number: int, *, closes: bool = False) -> None:
        """Say the next piece; each has its number from 0 on, so that a repeated one counts once."""
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Producer-Id": "speaker",
            "Producer-Epoch": "0",
            "Producer-Seq": str(number),
        }
        if closes:
            headers["Stream-Closed"] = "true"
        self._http.call("POST", stream_of(stream), data=data, headers=headers, repeatable=True)

    def stay_alive(self, stream: str) -> None:
        """Say that there is nothing to add, and that one is still there."""
        headers = {"Stream-Alive": "true"}
        self._http.call("POST", stream_of(stream), headers=headers, repeatable=True)

    def end_output(self, session_id: str, entry_id: str, **how: Any) -> Json:
        """End it: `state` closed or failed, with a `reason`."""
        path = path_of(session_id, "outputs", entry_id, "end")
        return self._ask("POST", path, json=how, repeatable=True)

    def hear(self, stream: str, offset: str = BEGINNING) -> Heard:
        """Wait for what is said after a place, for a while."""
        params = {"offset": offset, "live": "long-poll"}
        path = stream_of(stream)
        answer = self._http.call("GET", path, params=params, wait_s=POLL_S, repeatable=True)
        headers = answer.headers
        is_over = headers.get("Stream-Closed") == "true"
        return Heard(answer.content, headers.get("Stream-Next-Offset", offset), is_over)


def stream_of(stream: str) -> str:
    return f"/streams/{quote(stream, safe='')}"
