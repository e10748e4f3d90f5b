"""A network of its own with a bus host and nodes, and the machines that stand on it.

Each host is a network namespace. All of it is gone when its `with` ends, however it ends. It knows
no bus.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tests.lab import Box, LabError, call

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made")
NETWORK = 0x40000000  # CLONE_NEWNET


def enter(namespace: str) -> None:
    """Take the calling thread, and nothing else of this process, to another network."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{namespace}").open() as file:
        if libc.setns(file.fileno(), NETWORK):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


@dataclass
class Fleet:
    """A bus host `bus` and hosts `node1`..`nodeN` on one network, with the boxes on them.

    `others` are as many hosts more as were asked for, for what is neither a bus nor a node.
    """

    name: str
    nodes: int
    shared: tuple[Path, ...] = ()
    seen: tuple[Path, ...] = ()
    more: int = 0
    boxes: dict[str, Box] = field(default_factory=dict)

    def __enter__(self) -> Self:
        # what an earlier one that was killed has left
        self.boxes = {host: Box(self.box_name(host)) for host in self.all_hosts}
        self.__exit__()
        self.do("up", str(self.nodes + self.more))
        return self

    def __exit__(self, *_: object) -> None:
        while self.boxes:
            with suppress(LabError):
                self.boxes.popitem()[1].down()
        self.do("down")

    @property
    def hosts(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    @property
    def others(self) -> list[str]:
        return [f"node{self.nodes + number}" for number in range(1, self.more + 1)]

    @property
    def all_hosts(self) -> list[str]:
        return ["bus", *self.hosts, *self.others]

    def address(self, host: str) -> str:
        """Give the address of a host but the bus's."""
        return f"10.77.0.{10 + int(host.removeprefix('node'))}"

    def box_name(self, host: str) -> str:
        return f"{self.name}-{host}"

    def namespace(self, host: str) -> str:
        return f"{self.name}-{host}"

    def do(self, verb: str, *words: str) -> None:
        """Do something to the network: cut, mend, blackhole, loss and the script's other verbs."""
        call("fleet.sh", verb, *words, fleet=self.name)

    def put_box(self, host: str, disk_mb: int = 0) -> Box:
        """Boot a machine on a host; `shared` and `seen` (read-only) folders are at their places."""
        options = ["--netns", self.namespace(host)]
        options += ["--disk", str(disk_mb)] if disk_mb else []
        for folder in self.shared:
            options += ["--share", str(folder)]
        for folder in self.seen:
            options += ["--share-ro", str(folder)]
        box = Box(self.box_name(host), tuple(options))
        self.boxes[host] = box
        box.up()
        return box

    def command(self, host: str, *argv: str) -> list[str]:
        """Give the command line that runs a program on a host's network."""
        # Not `ip netns exec`: that would keep a copy of every disk that is mounted now.
        return ["nsenter", f"--net=/run/netns/{self.namespace(host)}", *argv]

    def threads_on(self, host: str, count: int) -> ThreadPoolExecutor:
        """Make threads of this process that stand on a host's network."""
        return ThreadPoolExecutor(count, host, initializer=enter, initargs=[self.namespace(host)])

    def on(self, host: str, do: Callable[..., Made], *arguments: Any) -> Made:
        """Call a function on a host's network."""
        with self.threads_on(host, 1) as pool:
            return pool.submit(do, *arguments).result()
