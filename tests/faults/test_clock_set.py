"""The wall clock of the machine is set while the bus and a watcher run: nobody loses by it."""

from __future__ import annotations

import re
import signal
import sys
import time
from datetime import datetime

import pytest

from tests.conftest import until
from tests.postgres import serving
from tests.serverbus import ServerBus

YEAR_S = 365 * 86_400
by_the_machine = pytest.mark.sqlite_only("its clock is the machine's, else the server's")
pytestmark = pytest.mark.lab


@pytest.fixture
def clock(bus, restart, clockjump, tmp_path):
    """Have the bus start under a clock that can be set: `clock(seconds)`; quick deadlines."""
    file = tmp_path / "jump"
    file.write_text("0")
    preload = {"LD_PRELOAD": str(clockjump), "CLOCKJUMP_FILE": str(file)}
    restart(**preload, BUS_WAKE_ASK_S="2")

    def jump(seconds):
        file.write_text(str(seconds))
        said = bus.call("", "GET", "/readyz")[1]
        assert abs(said.get("clock_off_s", 0) - seconds) < 2

    jump.environment = preload
    return jump


def log_of(bus):
    return (bus.data_dir / "bus.log").read_text()


def wait_for_log(bus, word, count=1, within_s=60):
    until(lambda: log_of(bus).count(word) >= count, within_s, f"{word} is in the log")


def poke(bus, token):
    """Have the keeper look now and not in half a minute."""
    bus.call(token, "POST", "/api/send", {"to": "idle", "body": "x"})


@by_the_machine
@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_a_year_more_or_less_ends_no_lease_no_mail_and_no_code(bus, clock, add, tmp_path, step_s):
    boss = add("boss", "person")
    add("idle")
    ann = bus.enrol("attic", tmp_path / "attic", ["ann"], bus.environment)["ann"]
    code = bus.call(bus.admin, "POST", "/api/nodes", {"name": "cellar", "agents": ["cy"]})[1]
    message = {"to": "ann", "body": "x", "ttl": 3600}
    sent = [bus.call(boss, "POST", "/api/send", message)[1]["id"] for _ in range(2)]
    handle = bus.call(ann, "GET", "/api/inbox?limit=1")[1]["items"][0]["handle"]
    clock(step_s)
    poke(bus, boss)
    wait_for_log(bus, "action=clock_stepped")
    states = [
        bus.call(boss, "GET", f"/api/messages/{one}")[1]["deliveries"][0]["state"] for one in sent
    ]
    assert states[0] == "read"
    assert states[1] == "queued"
    shown = bus.call(ann, "GET", "/api/inbox?limit=1")[1]
    assert shown["items"][0]["handle"] == handle
    drift_s = datetime.fromisoformat(shown["server_time"]).timestamp() - time.time()
    assert abs(drift_s) < 3600
    assert bus.call(ann, "POST", "/api/ack", {"handle": handle})[0] == 200
    enrol = {"code": code["code"], "nonce": "n" * 20, "url": bus.url, "instance": "i1"}
    assert bus.call("", "POST", "/api/enrol", enrol)[0] == 200
    # Nobody takes the wake: it is asked again as always, neither in a storm nor in a year.
    asked = log_of(bus).count("action=wake_asked")
    wait_for_log(bus, "action=wake_asked", asked + 1)
    assert log_of(bus).count("action=wake_asked") < asked + 5
    clock(0)
    poke(bus, boss)
    wait_for_log(bus, "action=clock_agrees")


@by_the_machine
def test_a_clock_that_is_put_right_by_hours_is_followed_and_no_turn_lost(bus, clock, add, tmp_path):
    boss = add("boss", "person")
    add("idle")
    ann = bus.enrol("attic", tmp_path / "attic", ["ann"], bus.environment)["ann"]
    bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "x"})
    handle = bus.call(ann, "GET", "/api/inbox")[1]["items"][0]["handle"]
    clock(6 * 3600)
    poke(bus, boss)
    wait_for_log(bus, "action=clock_followed")
    shown = bus.call(ann, "GET", "/api/inbox")[1]
    assert shown["items"][0]["handle"] == handle
    ahead_s = datetime.fromisoformat(shown["server_time"]).timestamp() - time.time()
    assert ahead_s == pytest.approx(6 * 3600, abs=600)
    assert "clock_off_s" not in bus.call("", "GET", "/readyz")[1]


@pytest.fixture
def server_bus(clockjump, tmp_path):
    """A bus on a PostgreSQL whose clock is right, on a machine whose clock the file sets."""
    file = tmp_path / "jump"
    file.write_text("0")
    preload = {"LD_PRELOAD": str(clockjump), "CLOCKJUMP_FILE": str(file)}
    with serving() as cluster:
        bus = ServerBus(tmp_path / "data", database_url=cluster.create("bus"), settings=preload)
        bus.init()
        bus.start()
        yield bus
        bus.end()


@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_a_machine_whose_clock_is_wrong_expires_no_mail_of_a_bus_on_a_server(
    server_bus, tmp_path, step_s
):
    bus = server_bus
    ann = bus.add("ann")
    for _ in range(2):  # set while the bus runs, and wrong already as it starts
        message = {"to": "ann", "body": "x", "ttl": 3600}
        sent = bus.call(ann, "POST", "/api/send", message)[1]["id"]
        (tmp_path / "jump").write_text(str(step_s))
        shown = bus.call(ann, "GET", f"/api/inbox?id={sent}")[1]
        assert [item["id"] for item in shown["items"]] == [sent]
        drift_s = datetime.fromisoformat(shown["server_time"]).timestamp() - time.time()
        assert abs(drift_s) < 600
        assert "clock_off_s" not in bus.call("", "GET", "/readyz")[1]
        off = re.search(r"^wakebus_machine_clock_off_seconds (\S+)$", bus.metrics(), re.MULTILINE)
        assert float(off[1]) == pytest.approx(step_s, abs=600)
        bus.stop(signal.SIGKILL)
        bus.start()


@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_a_watcher_whose_clock_is_set_wakes_on_and_in_no_storm(
    bus, clockjump, add, tmp_path, step_s
):
    boss = add("boss", "person")
    jump = tmp_path / "jump"
    jump.write_text("0")
    environment = bus.environment | {"LD_PRELOAD": str(clockjump), "CLOCKJUMP_FILE": str(jump)}
    folder = tmp_path / "node"
    quiet = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    starter = type(bus)(bus.data_dir, bus.url, admin=bus.admin)
    bus.watchers = starter.watchers
    starter.watch = lambda where, _: type(bus).watch(starter, where, environment)
    starter.add_node("attic", folder, {"ann": quiet})
    for number, shift in enumerate((0, step_s, 0)):
        jump.write_text(str(shift))
        sent = bus.call(boss, "POST", "/api/send", {"to": "ann", "body": "x"})[1]["id"]
        bus.follow_until(boss, sent, "acked", 30)
        assert len(re.findall("action=wake_begun", log_of(bus))) == number + 1
