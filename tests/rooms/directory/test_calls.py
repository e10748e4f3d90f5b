"""The directory's routes, as each kind of reader sees them."""

from __future__ import annotations

import pytest

from bus.access import service as access
from bus.app import create_app
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import nodes, service
from bus.ids import CountingIds
from bus.store.statement import connection_of
from tests.newdatabase import make_database


class Client:
    """A running application, and a token for each of the cast."""

    def __init__(self, config):
        self.app = create_app(config, clock=ManualClock(), ids=CountingIds(), keeper=False)
        self.store = self.app.extensions["wakebus"].store
        self.tokens = {"admin": self.store.write(lambda tx: access.create_token(tx, "admin"))[1]}

    def add(self, name, kind, **fields):
        def make(tx):
            one = service.add(tx, {"name": name, "kind": kind, **fields})
            token = "person" if kind == "person" else "agent"
            return access.create_token(tx, token, participant_id=one.id)[1]

        self.tokens[name] = self.store.write(make)

    def call(self, who, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = self.app.test_client().open(path, method=method, json=body, headers=headers)
        return answer.status_code, answer.get_json()


@pytest.fixture
def client(tmp_path):
    config = make_database(Config(data_dir=tmp_path / "data"))
    one = Client(config)
    one.add("alice", "person")
    one.add("bob", "named")
    one.add("charlie", "named", compartments=["shop"])
    yield one
    one.store.close()


def test_an_agent_sees_those_it_can_reach(client):
    _, answer = client.call("bob", "GET", "/api/agents")
    assert [one["name"] for one in answer["agents"]] == ["alice", "bob"]


@pytest.mark.sqlite_only("its driver shows what is asked")
def test_a_list_of_many_agents_asks_the_database_no_more_often_than_one_of_few(client):
    few = statements_of(client, "GET", "/api/agents")
    for at in range(10):
        client.add(f"dora-{at}", "named")
    _, answer = client.call("bob", "GET", "/api/agents")
    assert len(answer["agents"]) == 12
    assert statements_of(client, "GET", "/api/agents") == few


def statements_of(client, method, path):
    """Count what the database is asked by a call."""
    client.call("bob", method, path)  # from now on its token is known
    asked = []
    with client.store.read() as conn:
        connection_of(conn).set_trace_callback(asked.append)
    client.call("bob", method, path)
    with client.store.read() as conn:
        connection_of(conn).set_trace_callback(None)
    assert asked
    return len(asked)


def test_one_that_is_not_visible_is_not_found(client):
    assert client.call("bob", "GET", "/api/agents/charlie")[0] == 404
    assert client.call("admin", "GET", "/api/agents/charlie")[0] == 200


def test_an_agent_is_shown_whole(client):
    _, shown = client.call("admin", "GET", "/api/agents/bob")
    assert shown.keys() >= {
        "name",
        "kind",
        "node",
        "node_online",
        "local_agent",
        "session_key",
        "display_name",
        "accepts",
        "compartments",
        "paused",
        "method",
        "last_read_at",
        "last_woken_at",
        "wake_p50_ms",
        "pending",
        "created_at",
    }


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_only_the_administration_writes(client, who):
    assert client.call(who, "POST", "/api/agents", {"name": "eve"})[0] == 403
    assert client.call(who, "DELETE", "/api/agents/bob")[0] == 403
    assert client.call(who, "POST", "/api/nodes", {"name": "attic", "agents": []})[0] == 403


def test_a_person_sees_no_agent_of_another_compartment_on_a_node(client):
    client.store.write(lambda tx: nodes.add_node(tx, "attic", ["bob"], ""))
    client.store.write(lambda tx: nodes.add_node(tx, "shop-box", ["charlie"], ""))
    _, answer = client.call("alice", "GET", "/api/nodes")
    assert "charlie" not in str(answer)
    assert [one["agents"] for one in answer["nodes"] if one["name"] == "attic"] == [["bob"]]
    _, answer = client.call("admin", "GET", "/api/nodes")
    assert [one["agents"] for one in answer["nodes"]] == [["bob"], ["charlie"]]


def test_an_agent_does_not_list_nodes(client):
    assert client.call("bob", "GET", "/api/nodes")[0] == 403
