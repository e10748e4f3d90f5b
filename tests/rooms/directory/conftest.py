"""A migrated database, and ways to write to it, for the use cases of the directory."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.directory import enrolment, nodes
from tests.rooms.onestore import OneStore, running

NONCE = "n" * 32


class House(OneStore):
    """With nodes, and their watchers who enrol."""

    def add_node(self, name="attic", agents=("bob",)):
        return self.write(nodes.add_node, name, list(agents), "")["code"]

    def redeem(self, code, nonce=NONCE, **more):
        given = {
            "code": code,
            "nonce": nonce,
            "url": "http://bus.lan:8091",
            "instance": "i",
            "header_dir": "$HOME/.wakebus",
        }
        return self.write(enrolment.redeem, given | more)

    def enter(self, token):
        return self.read(access.authenticate, self.config, f"Bearer {token}", "", "")


@pytest.fixture
def house(tmp_path):
    with running(House, tmp_path / "data") as one:
        yield one
