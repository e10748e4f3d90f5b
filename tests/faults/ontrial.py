"""A bus on a PostgreSQL of its own, senders that keep at it, and a reader who stays."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import until
from tests.following import Follower
from tests.serverbus import ServerBus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Cluster

SENDERS = 6
HANGS_S = 30
"""A sender that hears nothing for so long hangs."""
PAUSE_S = 0.05
DATABASE = "bus"
LIMITS = {"BUS_RATE_PER_S": "100000", "BUS_RATE_BURST": "100000", "BUS_MAX_INBOX": "100000"}
LIMITS |= {"BUS_GUARD_BURST": "1000000", "BUS_GUARD_MESSAGES": "0"}


@dataclass
class Trial:
    """Alice sends to Bob under keys, over and over until each is accepted; Bob listens."""

    bus: ServerBus
    alice: str
    bob: str
    accepted: dict[str, str] = field(default_factory=dict)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    wrong: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop, self._lock = threading.Event(), threading.Lock()
        self.reader = Follower(self.bus.url, self.bob)
        self._senders = [
            threading.Thread(target=self._send_on, args=(number,)) for number in range(SENDERS)
        ]
        for one in self._senders:
            one.start()

    def _send_on(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            key = f"{number}-{count}"
            while not self._send(key) and not self.wrong:
                self._stop.wait(PAUSE_S)
            if self.wrong:
                return
            count += 1

    def _send(self, key: str) -> bool:
        """Send once; says whether it was accepted. A refusal must say when to come again."""
        try:
            status, headers, said = post(self.bus.url, self.alice, key)
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append((key, repr(error)))
            return False
        with self._lock:
            if status == 202:
                assert self.accepted.setdefault(key, said["id"]) == said["id"]
                return True
            self.refused[status, said.get("code", "")] += 1
            if status != 503 or not headers["Retry-After"] or not said["retryable"]:
                self.wrong.append((key, status, dict(headers), said))
            return False

    def wait_accepted(self, more: int = 30, within_s: float = 60) -> None:
        """Wait until so many more are accepted."""
        wanted = len(self.accepted) + more
        until(lambda: len(self.accepted) >= wanted or self.wrong, within_s, f"{more} are accepted")
        assert not self.wrong, self.wrong[:3]

    def wait_refused(self, within_s: float = 60) -> None:
        """Wait until somebody is refused who was not before."""
        before = self.refused.total()
        until(lambda: self.refused.total() > before or self.wrong, within_s, "somebody is refused")
        assert not self.wrong, self.wrong[:3]

    def end(self, cluster: Cluster) -> None:
        """Stop sending; then everything accepted is there once, and was told once."""
        self._stop.set()
        for one in self._senders:
            one.join(HANGS_S * 2)
            assert not one.is_alive(), "a sender hangs"
        assert not self.wrong, self.wrong[:3]
        self.reader.hear(set(self.accepted.values()))
        assert set(self.reader.ids) == set(self.accepted.values())
        kept = [one for (one,) in cluster.execute("SELECT id FROM messages", DATABASE)]
        assert sorted(kept) == sorted(self.accepted.values())
        log = self.bus.log
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
        print(f"{len(self.accepted)} accepted, refused: {dict(self.refused)}")

    def close(self) -> None:
        """Leave, however it went."""
        self._stop.set()
        self.wrong.append("closed")
        for one in self._senders:
            one.join(HANGS_S)
        self.reader.close()


@contextmanager
def trial_on(
    cluster: Cluster, folder: Path, port: int | None = None, **settings: str
) -> Iterator[Trial]:
    """Have a bus on a cluster, by its own port or by a relay's, and its parties."""
    cluster.create(DATABASE)
    url = cluster.url(DATABASE, port)
    bus = ServerBus(folder / "data", database_url=url, settings=LIMITS | settings)
    bus.init()
    bus.start()
    trial = None
    try:
        trial = Trial(bus, bus.add("alice"), bus.add("bob"))
        trial.wait_accepted()
        yield trial
    finally:
        if trial is not None:
            trial.close()
        bus.end()


def post(url: str, token: str, key: str) -> tuple[int, http.client.HTTPMessage, Any]:
    """Send one message under a key."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=HANGS_S)) as link:
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps({"to": "bob", "subject": key, "body": "x" * 100})
        link.request("POST", "/api/send", body, head | {"Idempotency-Key": key})
        answer = link.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
