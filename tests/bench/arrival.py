"""A real reader of a stream in a process of its own: says when it was handed what.

`arrival.py < JSON line`: `url`, `agents`, and the node's `token` for the watcher's own stream, or
none for the article's. It prints one JSON line when it is connected and one at the end.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(1, str(Path(__file__).parents[2]))

from watcher import address
from watcher.clock import SystemClock
from watcher.events import Event
from watcher.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator


def watch(url: str, token: str) -> Iterator[dict[str, Any] | None]:
    """Give what the watcher's stream hands out; None for its first event, which is no wake."""
    stream = Stream(address.parse(url, None), lambda: token, "bench", SystemClock())
    for step in stream.steps():
        if isinstance(step, Event):
            if step.type == "wake":
                yield json.loads(step.data)
            elif step.type == "ready":
                yield None


def poll(url: str) -> Iterator[dict[str, Any] | None]:
    """Give what the article's watcher reads."""
    with urllib.request.urlopen(f"{url}/api/stream") as answer:
        yield None
        for raw in answer:
            line = raw.decode().strip()
            if line.startswith("data:"):
                yield json.loads(line[5:])


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    events = watch(asked["url"], asked["token"]) if asked["token"] else poll(asked["url"])
    wanted, stamps = set(asked["agents"]), dict[str, int]()
    for event in events:
        if event is None:
            print("true", flush=True)
            continue
        if event["to_agent"] in wanted:
            stamps.setdefault(event["to_agent"], time.monotonic_ns())
        if len(stamps) == len(wanted):
            break
    print(json.dumps(stamps), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
