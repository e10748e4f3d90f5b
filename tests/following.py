"""A reader of a stream, in a thread: what it was told, in order, and that nobody cut it off."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import until


@dataclass
class Follower:
    """Reads `/api/stream` from now on; `numbers` are the places of the log, `ids` the messages."""

    url: str
    token: str
    numbers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    ended: str = ""

    def __post_init__(self) -> None:
        self._ready = threading.Event()
        self._link = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._ready.wait(30), self.ended

    def _read(self) -> None:
        try:
            head = {"Authorization": f"Bearer {self.token}"}
            self._link.request("GET", "/api/stream?last_event_id=now", headers=head)
            answer = self._link.getresponse()
            told: dict[str, str] = {}
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    told[name] = value
                elif told:
                    self._hear(told)
                    told = {}
            self.ended = "it ended"
        except (OSError, http.client.HTTPException, AttributeError) as error:
            self.ended = repr(error)
        finally:
            self._link.close()

    def _hear(self, told: dict[str, str]) -> None:
        kind = told.get("event", "")
        self.kinds.append(kind)
        if kind == "hello":
            self._ready.set()
        if kind == "message":
            data: dict[str, Any] = json.loads(told["data"])
            self.numbers.append(int(told["id"].rpartition("-")[2]))
            self.ids.append(data["id"])

    def hear(self, ids: set[str], within_s: float = 60) -> None:
        """Wait until it was told of these messages; each once, in order, on the one connection."""
        until(lambda: ids <= set(self.ids) or self.ended, within_s, "the reader has caught up")
        assert not self.ended, self.ended
        assert len(self.ids) == len(set(self.ids))
        assert self.numbers == sorted(set(self.numbers))
        assert not {"gap", "bus-error", "bye"} & set(self.kinds)

    def close(self) -> None:
        """Go away: its thread ends, and closes what it had open."""
        with suppress(OSError, AttributeError):
            self._link.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
