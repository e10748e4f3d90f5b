"""One live output as the bus sees it: opened once, appended to in order, ended.

Each append has a number within this life of the watcher, so that one whose answer was lost is sent
again and counts once, and each life has an epoch, so that an earlier one can add nothing more. It
must not know what is said, nor when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from watcher import plainjson
from watcher.bus import BusError
from watcher.persist import persist

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from watcher.bus import Bus
    from watcher.clock import Clock

CONTENT_TYPE = "text/plain; charset=utf-8"
LEASE_S = 30
LONGEST_PAUSE_S = 5.0
"""A producer that is silent for its lease counts as dead: it comes back soon after the bus does."""
MAX_REASON_CHARS = 500
OVER = frozenset({"stream_closed", "stream_gone", "not_found"})
"""What is answered where the output is no more: its lease ran out, or somebody took it away."""


@dataclass(frozen=True)
class Purpose:
    """What an output is for: the session that it is shown in, and what it comes of."""

    session: str
    about: dict[str, str]
    """`wake_id`, or `handle` of the item: who begins twice for the same goes on."""


class Line:
    """The calls of one output, made by one thread."""

    def __init__(self, bus: Bus, purpose: Purpose, clock: Clock, stop: threading.Event) -> None:
        self.is_open = False
        self.lease_s = 0.0
        self._bus = bus
        self._purpose = purpose
        self._clock = clock
        self._stop = stop
        self._entry = ""
        self._path = ""
        self._epoch = 0
        self._seq = 0

    def __enter__(self) -> Line:  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the connection."""
        self._bus.close()

    def open(self, *, only_there: bool) -> bytes:
        """Make it, or find the one of an earlier life; give what was said in that one.

        `only_there`: make none.

        Raises:
            BusError: refused for good, or stopped.
        """
        asked: dict[str, Any] = {**self._purpose.about, "lease_s": LEASE_S}
        if only_there:
            asked["resume"] = True
        answer = self._persist(lambda: self._bus.post(self._outputs, asked))
        try:
            self._entry, stream = str(answer["entry_id"]), str(answer["stream"])
            self._epoch = plainjson.whole(answer.get("epoch"))
            said_bytes = plainjson.whole(answer.get("bytes"))
            state = answer.get("state")
        except KeyError as error:
            raise BusError(502, "not_the_bus", "an output without its stream") from error
        if state != "open":
            raise BusError(409, "said_already", f"the output {self._entry} is over: {state}")
        self._path = f"/streams/{quote(stream, safe='')}"
        self._seq = 0
        self.lease_s = float(plainjson.whole(answer.get("lease_s")))
        self.is_open = True
        return self._persist(lambda: self._bus.read_stream(self._path)) if said_bytes else b""

    def append(self, data: bytes, *, closes: bool) -> None:
        """Add bytes, and close it with them where it is whole.

        Raises:
            BusError: refused for good, or stopped.
        """
        if not data and not closes:
            headers = {"Stream-Alive": "true"}
        else:
            headers = {
                "Content-Type": CONTENT_TYPE,
                "Producer-Id": "watcher",
                "Producer-Epoch": str(self._epoch),
                "Producer-Seq": str(self._seq),
                **({"Stream-Closed": "true"} if closes else {}),
            }
        self._persist(lambda: self._bus.append(self._path, data, headers))
        if data or closes:
            self._seq += 1
        if closes:
            self.is_open = False

    def fail(self, reason: str) -> None:
        """End it as one that broke off.

        Raises:
            BusError: refused for good, or stopped.
        """
        path = f"{self._outputs}/{quote(self._entry, safe='')}/end"
        body = {"state": "failed", "reason": reason[:MAX_REASON_CHARS], "epoch": self._epoch}
        self._persist(lambda: self._bus.post(path, body))
        self.is_open = False

    @property
    def _outputs(self) -> str:
        return f"/api/sessions/{quote(self._purpose.session, safe='')}/outputs"

    def _persist(self, call: Callable[[], Any]) -> Any:
        return persist(call, self._clock, self._stop, cap_s=LONGEST_PAUSE_S)
