"""Two bus processes on one PostgreSQL are one bus to whoever speaks to them."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.conftest import until
from tests.following import Follower
from tests.live.fleetrig import COMES, DATABASE, fleet_on
from tests.postgres import serving

if TYPE_CHECKING:
    from tests.serverbus import ServerBus

WITHIN_S = 30


@pytest.fixture(scope="module")
def cluster():
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def fleet(cluster, tmp_path_factory):
    """Two machines that most tests here share; each test has parties of its own.

    They look so seldom by themselves that what they know of each other they have heard.
    """
    folder = tmp_path_factory.mktemp("fleet")
    with fleet_on(cluster, folder, 2, BUS_POLL_S="600") as one:
        for machine in one.machines:
            until(lambda m=machine: count(m) == 2, WITHIN_S, "each knows the other")
        yield one


def count(machine: ServerBus) -> int:
    """Ask a process how many there are."""
    return int(machine.call("", "GET", "/readyz")[1].get("processes", 0))


def open_stream(
    stack: ExitStack, machine: ServerBus, token: str, instance: str = ""
) -> http.client.HTTPResponse:
    """Open a stream and read its hello; it is closed with the stack."""
    link = stack.enter_context(
        closing(http.client.HTTPConnection(machine.url.removeprefix("http://"), timeout=WITHIN_S))
    )
    path = f"/api/stream?last_event_id=now&instance={instance}"
    link.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = link.getresponse()
    if answer.status == 200:
        while answer.readline() != b"event: hello\n":
            pass
    return answer


def read_event(answer: http.client.HTTPResponse) -> str:
    """Give the next event's name; nothing where the stream has ended."""
    while line := answer.readline():
        if line.startswith(b"event: "):
            return line.decode().removeprefix("event: ").strip()
    return ""


def test_what_is_sent_at_one_wakes_the_streams_and_the_waiting_at_the_other(fleet):
    one, two = fleet.machines
    alice, bob = fleet.agent("alice"), fleet.agent("bob")
    reader = Follower(two.url, bob)
    sent = [one.call(alice, "POST", "/api/send", {"to": "bob", "body": "x"})[1] for _ in range(20)]
    reader.hear({said["id"] for said in sent})
    reader.close()
    heidi = fleet.agent("heidi")
    until(lambda: not is_waiting(two), WITHIN_S, "the stream is gone")
    with ExitStack() as stack:
        link = stack.enter_context(
            closing(http.client.HTTPConnection(two.url.removeprefix("http://"), timeout=60))
        )
        link.request("GET", "/api/inbox?wait=50", headers={"Authorization": f"Bearer {heidi}"})
        until(lambda: is_waiting(two), WITHIN_S, "the read waits")
        said = one.call(alice, "POST", "/api/send", {"to": "heidi", "body": "at last"})[1]
        assert said["id"] in link.getresponse().read().decode()


def is_waiting(machine: ServerBus) -> bool:
    """Say whether a stream or a waiting read is open at a process."""
    page = machine.call(machine.admin, "GET", "/metrics")[1]
    return page_value(page, "wakebus_streams") > 0


def page_value(page: str, name: str) -> float:
    line = next(line for line in page.splitlines() if line.startswith(f"{name}{{"))
    return float(line.rpartition(" ")[2])


def test_who_is_revoked_at_one_is_refused_at_the_other_and_its_stream_there_ends(fleet):
    one, two = fleet.machines
    fleet.agent("carol")
    body = {"kind": "agent", "subject": "carol"}
    made = one.call(fleet.admin, "POST", "/api/tokens", body)[1]
    carol = made["token"]
    assert two.call(carol, "GET", "/api/inbox")[0] == 200  # known there from now on
    with ExitStack() as stack:
        stream = open_stream(stack, two, carol)
        assert one.call(fleet.admin, "DELETE", f"/api/tokens/{made['id']}")[0] in {200, 204}
        until(lambda: two.call(carol, "GET", "/api/inbox")[0] == 401, 30, "it is refused")
        assert read_event(stream) == "bye"


def test_a_node_at_one_is_online_at_the_other_and_comes_back_to_either(fleet):
    one, two = fleet.machines
    node = fleet.node("island")
    with ExitStack() as stack:
        first = open_stream(stack, one, node, "i1")
        for machine in (one, two):
            until(lambda m=machine: is_online(m, "island"), 30, "it is online everywhere")
        busy = open_stream(stack, two, node, "i2")
        assert (busy.status, b"instance_busy" in busy.read()) == (409, True)
        second = open_stream(stack, two, node, "i1")
        assert second.status == 200
        assert read_event(first) == "bye"
        assert is_online(one, "island")
        assert is_online(two, "island")
    for machine in (one, two):
        until(lambda m=machine: not is_online(m, "island"), WITHIN_S, "it is offline everywhere")
    with ExitStack() as stack:
        busy = open_stream(stack, one, node, "i2")
        assert (busy.status, b"instance_busy" in busy.read()) == (409, True)


def is_online(machine: ServerBus, name: str) -> bool:
    nodes = machine.call(machine.admin, "GET", "/api/nodes")[1]["nodes"]
    return next(one["online"] for one in nodes if one["name"] == name)


def test_places_are_counted_over_all_processes(fleet):
    one, two = fleet.machines
    dora = fleet.agent("dora")
    with ExitStack() as stack:
        for _ in range(32):
            assert open_stream(stack, one, dora).status == 200
        until(lambda: two.call(dora, "GET", "/api/inbox?wait=1")[0] == 503, 30, "there is no place")
    until(lambda: two.call(dora, "GET", "/api/inbox?wait=1")[0] == 200, WITHIN_S, "there is again")


def test_a_lost_connection_for_hints_costs_nothing(fleet):
    one, two = fleet.machines
    erin, frank = fleet.agent("erin"), fleet.agent("frank")
    reader = Follower(two.url, frank)
    ids = set()
    for _ in range(5):
        fleet.cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{DATABASE}' AND application_name LIKE 'wakebus %'"
        )
        status, said = one.call(erin, "POST", "/api/send", {"to": "frank", "body": "x"})
        assert status == 202
        ids.add(said["id"])
    reader.hear(ids)
    reader.close()
    for machine in fleet.machines:
        until(lambda m=machine: m.log.count("hints_heard") > 1, WITHIN_S, "hints are heard again")


def test_what_nobody_told_is_found_by_looking(cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 1, name="silent") as fleet:
        (one,) = fleet.machines
        bob = fleet.agent("bob")
        assert one.call(bob, "GET", "/api/inbox")[0] == 200
        reader = Follower(one.url, bob)
        fleet.ask("""INSERT INTO log (seq, at_ms, kind, data, participant_id)
            SELECT coalesce(max(seq), 0) + 1, 0, 'message', '{"id":"m_1"}',
            (SELECT id FROM participants WHERE name = 'bob') FROM log""")
        reader.hear({"m_1"}, within_s=10)  # long before the stream's next comment
        reader.close()
        fleet.ask("""WITH gone AS (DELETE FROM tokens WHERE kind = 'agent')
            UPDATE meta SET value = (value::bigint + 1)::text WHERE key = 'rights'""")
        until(lambda: one.call(bob, "GET", "/api/inbox")[0] == 401, 10, "the token is refused")


def test_numbers_say_of_which_process_they_are(fleet):
    one, two = fleet.machines
    names = set()
    for machine in (one, two):
        name = machine.call("", "GET", "/readyz")[1]["process"]
        page = machine.call(fleet.admin, "GET", "/metrics")[1]
        assert f'wakebus_processes{{process="{name}"}} 2.0' in page
        assert f'wakebus_requests_total{{process="{name}",call="GET /readyz"' in page
        names.add(name)
    assert names == {name for (name,) in fleet.ask("SELECT id FROM processes")}


def test_the_limit_of_requests_is_one_over_all_processes(cluster, tmp_path):
    burst = 64
    settings = {"BUS_RATE_PER_S": "1", "BUS_RATE_BURST": str(burst)}
    with fleet_on(cluster, tmp_path, 2, name="limited", **settings) as fleet:
        for machine in fleet.machines:
            until(lambda m=machine: count(m) == 2, WITHIN_S, "each knows the other")
        grace = fleet.agent("grace")
        answers = [
            machine.call(grace, "GET", "/api/inbox")[0]
            for _ in range(burst)
            for machine in fleet.machines
        ]
        assert set(answers) == {200, 429}
        # A block of an eighth each, and what came in meanwhile: one a second.
        assert burst <= answers.count(200) < 1.9 * burst


def test_an_inbox_holds_no_more_whichever_process_takes_the_messages(cluster, tmp_path):
    most = 8
    with fleet_on(cluster, tmp_path, 2, name="full", BUS_MAX_INBOX=str(most)) as fleet:
        alice = fleet.agent("alice")
        fleet.agent("bob")
        answers = [
            machine.call(alice, "POST", "/api/send", {"to": "bob", "body": f"{number}"})[0]
            for number in range(most)
            for machine in fleet.machines
        ]
        assert answers == [202] * most + [429] * most


def test_the_last_process_that_leaves_in_order_leaves_nothing_behind(cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 2, name="leaving") as fleet:
        one, two = fleet.machines
        assert len(fleet.ask("SELECT 1 FROM processes")) == 2
        held = fleet.wait_holder()
        other = two if held is one else one
        held.stop()
        until(
            lambda: fleet.holder() is other, 8, "the other keeps house, long before a lease is out"
        )
        other.stop()
        assert not fleet.ask("SELECT 1 FROM processes")
        assert {holder for (holder,) in fleet.ask("SELECT holder FROM leases")} == {""}


def test_who_comes_is_told_of_what_was_written_before_anybody_knew_of_it(cluster, tmp_path):
    with ExitStack() as stack:
        stack.enter_context(fleet_on(cluster, tmp_path, 1, name="coming"))
        words = cluster.admin_words("coming")
        newcomer = stack.enter_context(psycopg.connect(words, autocommit=True))
        newcomer.execute("LISTEN wakebus")
        newcomer.execute(COMES)
        hints = stack.enter_context(closing(newcomer.notifies(timeout=WITHIN_S)))
        assert any(json.loads(one.payload)[1] is None for one in hints)  # at everything


def test_no_process_writes_into_a_schema_that_was_changed_under_it(cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 1, name="schema") as fleet:
        (one,) = fleet.machines
        alice = fleet.agent("alice")
        ((at,),) = fleet.ask("SELECT version_num FROM alembic_version")
        fleet.ask("UPDATE alembic_version SET version_num = '9999'")
        status, said = one.call(alice, "POST", "/api/send", {"to": "alice", "body": "x"})
        assert (status, said["code"]) == (503, "schema_out_of_date")
        until(lambda: one.call("", "GET", "/readyz")[0] == 503, WITHIN_S, "it is not ready")
        fleet.ask(f"UPDATE alembic_version SET version_num = '{at}'")
        until(one.is_ready, WITHIN_S, "it goes on where the schema is its own")
        assert one.call(alice, "POST", "/api/send", {"to": "alice", "body": "y"})[0] == 202
