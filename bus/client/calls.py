"""Every call of the bus as one method: typed arguments in, the JSON object of the answer out.

It knows the names of the calls and nothing of how an answer is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.client.administration import AdministrationCalls
from bus.client.alertcalls import AlertCalls
from bus.client.boardcalls import BoardCalls
from bus.client.events import EventParser, Follower
from bus.client.failures import json_object
from bus.client.mailcalls import MailCalls
from bus.client.noticecalls import NoticeCalls
from bus.client.outputcalls import OutputCalls
from bus.client.runcalls import RunCalls
from bus.client.sessioncalls import SessionCalls
from bus.client.steeringcalls import SteeringCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bus.client.asking import Json
    from bus.client.events import Event

SILENCE_S = 45.0
"""Three heartbeats: after so long without a byte a stream is taken for dead."""


class BusClient(
    MailCalls,
    BoardCalls,
    RunCalls,
    AlertCalls,
    SessionCalls,
    OutputCalls,
    SteeringCalls,
    NoticeCalls,
    AdministrationCalls,
):
    """A client of one bus with one token; every method raises `ClientError` when refused.

    Good for one thread. Use it as a context manager, or close it.
    """

    def tail(
        self,
        start: str = "",
        *,
        instance: str | None = None,
        silence_s: float = SILENCE_S,
        beats: bool = False,
        broken: Callable[[str, float, str], None] = lambda _why, _pause_s, _code: None,
    ) -> Iterator[Event]:
        """Follow the stream for ever, from a cursor, `earliest`, `now`, or what is pending.

        `broken(why, pause_s, code)` is told before each reconnection and may raise to stop. With
        `beats` the heartbeats of a silent stream come too, as events of that kind without data.
        """
        params = {"instance": instance}
        follower = Follower(
            connect=lambda cursor: self._http.open_stream(params, cursor, silence_s),
            broken=broken,
            parser=EventParser(cursor=start, has_beats=beats),
        )
        return follower.events()

    def wakes(
        self, *, agent: str | None = None, every: bool = False, limit: int | None = None
    ) -> Json:
        """List the open wakes, or with `every` the closed ones too."""
        params = {"agent": agent, "state": "all" if every else None, "limit": limit}
        return self._get("/api/wakes", params)

    def brief(self, *, since: str | None = None, limit: int | None = None) -> Json:
        """Say what happened since a time, or since the last brief that was seen."""
        return self._get("/api/brief", {"since": since, "limit": limit})

    def brief_seen(self, until: str) -> Json:
        """Have the next brief begin where this one ended."""
        return self._ask("POST", "/api/brief", json={"seen_until": until}, repeatable=True)

    def whoami(self) -> Json:
        return self._get("/api/whoami")

    def ready(self) -> Json:
        """Say how a bus stands that takes work; `ClientError` when it does not, or is away."""
        return json_object(self._http.call("GET", "/readyz"))

    def is_alive(self) -> bool:
        """Say whether what answers is a bus; `ClientError` when nothing does."""
        answer = json_object(self._http.call("GET", "/healthz"))
        return answer.get("status") == "ok" and "version" in answer
