"""A house whose people are told of things: pat has targets, alice and bob write to her."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from bus.directory import service as directory
from bus.live.hub import Hub
from bus.notices import service
from bus.notices.sender import Sender
from tests.receivers import receiving


@dataclass
class Told:
    """The house, and what is told in it."""

    house: Any
    sender: Sender
    watching: set[str]

    def put(self, name: str = "hook", who: str = "pat", **given: Any) -> dict[str, Any]:
        me = self.house.principal(who)
        return self.house.store.write(lambda tx: service.put(tx, me, "self", name, given))[0]

    def pass_time(self, seconds: float) -> int:
        """Let time go by, and send what is due then; gives how much was tried."""
        self.house.pass_time(seconds)
        return self.sender.send_due()

    def shown(self, who: str = "pat") -> dict[str, Any]:
        me = self.house.principal(who)
        with self.house.store.read() as conn:
            return service.show_all(conn, self.config, me, "self")

    @property
    def config(self) -> Any:
        return self.house.store.config

    def set(self, **settings: Any) -> None:
        """Set settings, for the writer and for who reads."""
        made = replace(self.config, **settings)
        self.house.store.config = self.house.store.writer._tools.config = made

    def quiet(self, quiet: dict[str, Any] | None) -> None:
        self.house.store.write(lambda tx: directory.change(tx, "pat", {"quiet": quiet}))


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def told(house, receiver):
    watching: set[str] = set()

    def answer(tx, participant_id):
        return directory.get(tx.conn, participant_id).name in watching

    house.store.hooks.on("is_watching", answer)
    for name in ("pat", "quinn"):
        house.store.write(lambda tx, name=name: directory.add(tx, {"name": name, "kind": "person"}))
    one = Told(house, Sender(house.store, Hub()), watching)
    one.set(notice_hosts=f"{receiver.url} http://127.0.0.1:9 @example.org", max_inbox=1000)
    return one


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made = (folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
