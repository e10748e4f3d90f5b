"""The stream's readers as a test meets them: start one, and take what it has heard.

A `Program` is a process of its own, which prints a JSON line `[event, data, cursor]` for each
event; a `Page` is a page of the bus in Chromium.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Page as BrowserPage

EMPTY = "<!doctype html>"
LISTEN = """
kinds => {
  window.heard = [];
  const source = new EventSource("/api/stream");
  for (const kind of kinds) {
    source.addEventListener(kind, event =>
      heard.push([kind, JSON.parse(event.data), event.lastEventId]));
  }
}
"""
KINDS = ["hello", "ready", "gap", "message", "state", "bye", "bus-error"]
PATIENCE_S = 60


class Heard(NamedTuple):
    event: str
    data: dict[str, Any]
    cursor: str


class Reader:
    """What is common to all: take events, in order, until one is as wanted."""

    def next(self) -> Heard:
        raise NotImplementedError

    def away(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def hear_until(self, wanted: Callable[[Heard], bool]) -> list[Heard]:
        heard = [self.next()]
        while not wanted(heard[-1]):
            heard.append(self.next())
        return heard


@dataclass
class Program(Reader):
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, command: list[str], url: str, token: str) -> Program:
        environment = os.environ | {"READER_TOKEN": token}
        argv = [*command, f"{url}/api/stream"]
        return cls(subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True))

    def next(self) -> Heard:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the reader has ended with {self.process.wait(60)}"
        return Heard(*json.loads(line))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have it hear nothing for a while, nor come back."""
        self.process.send_signal(signal.SIGSTOP)
        yield
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        with self.process:
            self.process.kill()


class Page(Reader):
    """EventSource in a page of the bus's own origin; the context puts the token on.

    The page is one that a proxy would serve beside the bus: the bus's own answers forbid, by their
    Content-Security-Policy, that anything in them connects to anywhere.
    """

    def __init__(self, page: BrowserPage, url: str) -> None:
        self._page = page
        self._taken = 0
        self._heard: deque[Heard] = deque()
        page.route(f"{url}/", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
        page.goto(f"{url}/")
        page.evaluate(LISTEN, KINDS)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take its network away: what it had open breaks, and what it tries fails."""
        self._page.context.set_offline(offline=True)
        yield
        self._page.context.set_offline(offline=False)

    def next(self) -> Heard:
        if not self._heard:
            more = "taken => heard.length > taken"
            self._page.wait_for_function(more, arg=self._taken, timeout=PATIENCE_S * 1000)
            fresh = self._page.evaluate("taken => heard.slice(taken)", self._taken)
            self._taken += len(fresh)
            self._heard.extend(Heard(*one) for one in fresh)
        return self._heard.popleft()
