"""A reader that goes from one process to another at random and comes back with its cursor."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_S, LONGEST_S = 0.3, 4.0
SILENT_S = 8
"""A stream without even a comment for so long is taken for dead."""


class Rover:
    """Reads its stream in pieces, each from where `choose` says; what it heard, in order."""

    def __init__(self, name: str, token: str, choose: Callable[[], str], seed: int) -> None:
        self.name, self.token, self._choose = name, token, choose
        self._rng = random.Random(f"{seed} {name}")
        self._stop = threading.Event()
        self.cursor = "earliest"
        self.last, self.ids, self.wrong = 0, [], []
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._rove, name=name, daemon=True)
        self._thread.start()

    def _rove(self) -> None:
        while not self._stop.is_set():
            try:
                self._visit(self._choose())
            except (OSError, http.client.HTTPException, AttributeError) as error:
                self.counts[type(error).__name__] += 1
                self._stop.wait(0.1)
            except Exception as error:  # noqa: BLE001 - told where it is judged
                self.wrong.append(f"{self.name}: {error!r}")
                return

    def _visit(self, url: str) -> None:
        until_s = time.monotonic() + self._rng.uniform(SHORTEST_S, LONGEST_S)
        where = url.removeprefix("http://")
        with closing(http.client.HTTPConnection(where, timeout=SILENT_S)) as link:
            head = {"Authorization": f"Bearer {self.token}", "Last-Event-ID": self.cursor}
            link.request("GET", "/api/stream", headers=head)
            answer = link.getresponse()
            self.counts[f"answer {answer.status}"] += 1
            if answer.status != 200:
                if answer.status not in {429, 502, 503}:
                    self.wrong.append(f"{self.name}: {answer.status} {answer.read()!r}")
                self._stop.wait(0.2)
                return
            told: dict[str, str] = {}
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    told[name] = value
                elif told:
                    self._hear(told)
                    told = {}
                if self._stop.is_set() or time.monotonic() > until_s:
                    return

    def _hear(self, told: dict[str, str]) -> None:
        kind = told.get("event", "")
        self.counts[kind] += 1
        if kind in {"gap", "bus-error"}:
            self.wrong.append(f"{self.name}: {told}")
        if kind != "message":
            return
        number = int(told["id"].rpartition("-")[2])
        if number <= self.last:
            self.wrong.append(f"{self.name}: {number} after {self.last}")
        self.last, self.cursor = number, told["id"]
        self.ids.append(json.loads(told["data"])["id"])

    def end(self) -> None:
        """Stop where it is."""
        self._stop.set()
        self._thread.join(SILENT_S * 2)
