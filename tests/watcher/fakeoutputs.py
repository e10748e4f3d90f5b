"""The outputs of sessions as a bus keeps them: opened, appended to in order, and ended."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fakebus import ProblemError

APPEND = re.compile(r"/streams/(\w+)")
END = re.compile(r"/api/sessions/(\w+)/outputs/(\w+)/end")


@dataclass
class Shown:
    """One output as its readers see it."""

    entry_id: str
    session: str
    asked: dict
    data: bytes = b""
    appends: list = field(default_factory=list)
    state: str = "open"
    reason: str = ""
    epoch: int = 0
    seq: int = -1

    @property
    def text(self):
        return self.data.decode()


class Outputs:
    """Answers what a producer asks of the bus, as the bus does."""

    def __init__(self, bus):
        self.bus = bus
        self.all = []
        self.heartbeats = 0
        self.lose_answers = 0
        """How many appends are kept and answered with an error, as by a bus that is killed."""
        self.away = 0
        self.refuse = None
        bus.answers["/api/sessions/"] = self._take
        bus.answers["/streams/"] = self._stream

    @property
    def only(self):
        assert len(self.all) == 1, self.all
        return self.all[0]

    def await_that(self, condition, timeout_s=30):
        with self.bus.changed:
            met = self.bus.changed.wait_for(lambda: self.all and condition(self.all[-1]), timeout_s)
        assert met, self.all
        return self.all[-1]

    def await_state(self, state):
        return self.await_that(lambda shown: shown.state == state)

    def let_die(self):
        """Have the lease of the newest run out."""
        self.all[-1].state = "died"

    def _take(self, request):
        if match := END.fullmatch(request.path):
            shown = next(one for one in self.all if one.entry_id == match[2])
            if shown.state != "open":
                raise ProblemError(409, "stream_closed")
            self._set(shown, state=request.json["state"], reason=request.json["reason"])
            return {}
        if self.refuse:
            raise self.refuse
        asked = {key: request.json[key] for key in ("wake_id", "handle") if key in request.json}
        shown = next((one for one in self.all if one.asked == asked and one.state == "open"), None)
        if shown is not None:
            shown.epoch, shown.seq = shown.epoch + 1, -1
        elif "resume" in request.json:
            raise ProblemError(404, "not_found")
        else:
            number = len(self.all) + 1
            shown = Shown(f"e_{number}", request.path.split("/")[3], asked)
            self.all.append(shown)
        return {
            "entry_id": shown.entry_id,
            "stream": f"st_{shown.entry_id}",
            "bytes": len(shown.data),
            "state": shown.state,
            "epoch": shown.epoch,
            "lease_s": 60,
        }

    def _stream(self, request):
        shown = next(one for one in self.all if f"/streams/st_{one.entry_id}" == request.path)
        if request.verb == "GET":
            return shown.data
        if self.away:
            self.away -= 1
            raise ProblemError(503, "away")
        if shown.state != "open":
            raise ProblemError(409, "stream_closed")
        if request.headers.get("Stream-Alive"):
            self.heartbeats += 1
            return b""
        epoch, seq = (int(request.headers[f"Producer-{name}"]) for name in ("Epoch", "Seq"))
        if epoch < shown.epoch:
            raise ProblemError(403, "stale_epoch")
        if seq > shown.seq:
            assert seq == shown.seq + 1, "a piece is missing"
            closes = request.headers.get("Stream-Closed") == "true"
            shown.appends.append(request.raw)
            shown.seq = seq
            state = "closed" if closes else "open"
            self._set(shown, data=shown.data + request.raw, state=state)
        if self.lose_answers:
            self.lose_answers -= 1
            raise ProblemError(502, "lost")
        return b""

    def _set(self, shown, **values):
        with self.bus.changed:
            vars(shown).update(values)
            self.bus.changed.notify_all()
