"""Which runs this node has in hand: takes what the bus offers, resumes what the book holds.

As many at once as the bus hands out; each in a thread of its own, because a run is minutes of
waiting for something else. It must not know how a run is done.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from watcher import address, log, plainjson
from watcher.bus import Bus, BusError
from watcher.runs.book import Book, Entry
from watcher.runs.order import CANCELLED, QUEUED, UNWANTED, Halt, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.clock import Clock
    from watcher.methods import Methods
    from watcher.runs.running import Means
    from watcher.settings import Settings

UNKNOWN = 404


class Desk:
    """The runs in hand."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts, each made elsewhere
        self,
        settings: Settings,
        bus: Bus,
        methods: Methods,
        clock: Clock,
        stop: threading.Event,
        instance: str,
        look_at_roster: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the bus as the node calls it; each run is spoken of with its worker's token."""
        self._settings = settings
        self._bus = bus
        self._methods = methods
        self._clock = clock
        self._look_at_roster = look_at_roster
        self._book = Book(settings.folder.runs)
        self._instance = instance
        self._stop = stop
        self._means: Means | None = None
        self._halts: dict[str, Halt] = {}
        self._offered_again: dict[str, str] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def take(self, raw: Any) -> None:
        """Take what a frame or a list says of a run; nonsense is said and left."""
        try:
            notice = Notice.parse(raw)
        except ValueError as error:
            log.warn("run_frame_unreadable", error=error)
            return
        if notice.state in UNWANTED:
            with self._changed:
                halt = self._halts.get(notice.run_id)
            if halt is not None:
                halt.set(Halt.CANCELLED if notice.state == CANCELLED else Halt.OVER)
        elif notice.state == QUEUED:
            self._start(notice.run_id, notice.worker)

    def take_text(self, data: str) -> None:
        """Take a frame of the stream."""
        try:
            raw = plainjson.read(data)
        except ValueError as error:
            log.warn("run_frame_unreadable", error=error)
            return
        self.take(raw)

    def adopt(self) -> None:
        """Resume what the book holds, and take what is open on the bus.

        Raises:
            BusError: the bus did not say what is open.
        """
        self.resume()
        try:
            runs = self._bus.get("/api/runs", {"state": "open"}).get("runs", [])
        except BusError as error:
            if error.status == UNKNOWN:  # an older bus has no runs
                return
            raise
        for raw in runs if isinstance(runs, list) else []:
            self.take(raw)

    def resume(self) -> None:
        """Go on with every run of the book that is not in hand."""
        for run_id in self._book.list_runs():
            self._start(run_id)

    def halt_all(self) -> None:
        """Have every run stop, because the watcher does."""
        with self._changed:
            self._is_closed = True
            for halt in self._halts.values():
                halt.set(Halt.STOPPED)

    def close(self, timeout_s: float) -> bool:
        """Start no more runs, and wait for those in hand; say whether all ended in time."""
        self.halt_all()
        return self.wait_idle(timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no run is in hand."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._halts, timeout_s)

    def _start(self, run_id: str, worker: str = "") -> None:
        """Take a run in hand; one of the book needs no worker's name."""
        with self._changed:
            if self._is_closed:
                return
            if run_id in self._halts:
                if worker:  # it may be about to be given up because it had no place yet
                    self._offered_again[run_id] = worker
                return
            halt = self._halts[run_id] = Halt(threading.Event())
        thread = threading.Thread(
            target=self._run, args=(run_id, worker, halt), name=run_id, daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # this machine has no thread left; it is offered again
            log.warn("run_unstarted", run=run_id, error=error)
            self._forget(run_id)

    def _run(self, run_id: str, worker: str, halt: Halt) -> None:
        try:
            # read only now that nobody else has it in hand: before, it may have been finished
            entry = self._book.find(run_id) or (Entry(run_id, worker) if worker else None)
            if entry is not None:
                self._work(entry, halt)
        except Exception as error:  # noqa: BLE001 - a run must not end the others
            log.warn("run_thread_crashed", run=run_id, error=repr(error))
        finally:
            again = self._forget(run_id)
        if again:
            self._start(run_id, again)

    def _forget(self, run_id: str) -> str:
        """Let go of a run; give its worker where it was offered again meanwhile."""
        with self._changed:
            self._halts.pop(run_id, None)
            self._changed.notify_all()
            return self._offered_again.pop(run_id, "")

    def _work(self, entry: Entry, halt: Halt) -> None:
        # loaded when a run is there: a node without workers needs nothing of theirs
        from watcher.runs.line import Line  # noqa: PLC0415
        from watcher.runs.running import Running  # noqa: PLC0415

        agent = self._settings.agents.get(entry.worker)
        if agent is None:
            self._look_at_roster()
            agent = self._settings.agents.get(entry.worker)
        if agent is None:
            log.warn("run_for_nobody", run=entry.run_id, agent=entry.worker)
            return
        if entry.phase == "claiming":
            self._book.write(entry)
        folder, name = self._settings.folder, agent.name
        where = address.parse(self._settings.url, self._settings.ca_file)
        with Bus(where, lambda: folder.read_agent_token(name)) as bus:
            line = Line(entry.run_id, bus, self._clock)
            Running(entry, agent, line, halt, self._find_means()).run()

    def _find_means(self) -> Means:
        from watcher.methods.gateway import Gateway  # noqa: PLC0415 - as above
        from watcher.runs.bygateway import ByGateway  # noqa: PLC0415 - as above
        from watcher.runs.byprogram import ByProgram  # noqa: PLC0415 - as above
        from watcher.runs.running import Means  # noqa: PLC0415 - as above

        with self._changed:
            if self._means is None:
                gateway = self._methods.get("gateway")
                assert isinstance(gateway, Gateway)  # noqa: S101 - what the table makes
                self._means = Means(
                    self._book,
                    ByProgram(self._settings, self._clock),
                    ByGateway(gateway.turns, self._clock),
                    self._clock,
                    self._instance,
                    self._stop,
                )
            return self._means
