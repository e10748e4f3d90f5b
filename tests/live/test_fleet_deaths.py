"""What one process does for all goes on in another when it dies or hangs, and nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from bus.config import Config
from bus.errors import ConfigError
from tests.conftest import BIN, clean_environment, until
from tests.following import Follower
from tests.live.fleetrig import COMES, fleet_on, workers
from tests.postgres import serving
from tests.receivers import receiving

WITHIN_S = 40


@pytest.fixture(scope="module")
def cluster():
    with serving() as one:
        yield one


def in_s(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_what_is_due_is_done_once_when_the_process_that_does_it_is(how, cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 2, name=f"deaths{int(how)}") as fleet:
        one, two = fleet.machines
        held = fleet.wait_holder()
        other = two if held is one else one
        alice, bob = fleet.agent("alice"), fleet.agent("bob")
        reader = Follower(other.url, bob)
        due = [
            other.call(alice, "POST", "/api/send", {"to": "bob", "body": "x", "deliver_at": when})
            for when in map(in_s, range(2, 12))
        ]
        assert {status for status, _ in due} == {202}
        heard = """SELECT min(l.until_ms) - 10000 > max(p.started_ms)
            FROM leases l, processes p WHERE l.name = 'keeper'"""
        until(lambda: fleet.ask(heard) == [(True,)], WITHIN_S, "both have been there for a beat")
        held.signal(how)
        assert fleet.wait_holder(other_than=held, within_s=WITHIN_S) is other
        reader.hear({said["id"] for _, said in due}, within_s=WITHIN_S)
        until(lambda: len(fleet.ask("SELECT 1 FROM processes")) == 1, WITHIN_S, "it is buried")
        if how is signal.SIGSTOP:
            held.signal(signal.SIGCONT)
            until(lambda: len(fleet.ask("SELECT 1 FROM processes")) == 2, WITHIN_S, "it is back")
            assert fleet.holder() is other
            told = Follower(held.url, bob)
            last = held.call(alice, "POST", "/api/send", {"to": "bob", "body": "y"})[1]["id"]
            told.hear({last})
            reader.hear({last})
            told.close()
        assert len(reader.ids) == len(set(reader.ids))
        reader.close()
        taken = [line for line in other.log.splitlines() if "action=lease_taken" in line]
        # The other one was there all the time: no turn is spared for an outage that was none.
        assert len(taken) == 2
        assert all("away=False" in line for line in taken)


def test_a_notice_goes_out_from_another_process_when_the_one_that_sends_them_dies(
    cluster, tmp_path
):
    with receiving() as receiver:
        told = {"BUS_NOTICE_HOSTS": receiver.url, "BUS_NOTICE_GRACE_S": "3"}
        with fleet_on(cluster, tmp_path, 2, name="notices", **told) as fleet:
            one, two = fleet.machines
            held = fleet.wait_holder()
            other = two if held is one else one
            pat, alice = fleet.agent("pat", "person"), fleet.agent("alice")
            target = {"kind": "webhook", "url": f"{receiver.url}/hook"}
            made = other.call(pat, "PUT", "/api/people/self/notices/hook", target)
            assert made[0] == 201, made
            sent = other.call(alice, "POST", "/api/send", {"to": "pat", "body": "x"})
            assert sent[0] == 202, sent
            held.end()
            receiver.wait(1, WITHIN_S)
            until(lambda: not fleet.ask("SELECT 1 FROM notice_sends"), WITHIN_S, "it is settled")
            assert len(receiver.requests) == 1


NIGHT_ENDS = """UPDATE deliveries SET due_ms = 3000
    + (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE quiet_ms IS NOT NULL"""


def test_quiet_hours_end_and_alerts_go_on_once_when_the_process_that_sees_to_them_dies(
    cluster, tmp_path
):
    with fleet_on(cluster, tmp_path, 2, name="nights", BUS_ESCALATE_AFTER_S="3") as fleet:
        one, two = fleet.machines
        held = fleet.wait_holder()
        other = two if held is one else one
        ann, mo = fleet.agent("ann"), fleet.agent("mo")
        pat, pia = fleet.agent("pat", "person"), fleet.agent("pia", "person")

        def change(name, what):
            assert other.call(fleet.admin, "PATCH", f"/api/agents/{name}", what)[0] == 200

        change("ann", {"escalate_to": ["mo", "pia"]})
        now, hour = datetime.now(UTC), timedelta(hours=1)
        night = f"{now - hour:%H:%M}-{now + 6 * hour:%H:%M}"
        change("pat", {"quiet": {"zone": "UTC", "windows": [night]}})
        sent = other.call(ann, "POST", "/api/send", {"to": "pat", "body": "x"})[1]
        assert sent["deliveries"][0]["state"] == "held"
        said = {"severity": "warning", "subject": "the oven is hot"}
        assert other.call(ann, "POST", "/api/alerts", said)[0] == 201
        fleet.ask("UPDATE participants SET quiet = NULL WHERE name = 'pat'")
        fleet.ask(NIGHT_ENDS)
        held.end()
        assert fleet.wait_holder(other_than=held, within_s=WITHIN_S) is other

        def has(token, *kinds):
            items = other.call(token, "GET", "/api/inbox?view=headers")[1]["items"]
            return sorted(item["type"] for item in items) == sorted(kinds)

        until(lambda: has(pat, "MESSAGE", "BRIEF"), WITHIN_S, "the night is over for pat")
        until(lambda: has(pia, "ALERT"), WITHIN_S, "the alert has come to the next one")
        assert has(mo, "ALERT")
        assert has(pat, "MESSAGE", "BRIEF")


def test_several_processes_on_one_machine_share_a_port_and_one_that_dies_is_replaced(
    cluster, tmp_path
):
    with fleet_on(cluster, tmp_path, 1, name="workers", BUS_WORKERS="3") as fleet:
        (machine,) = fleet.machines

        def live():
            return {pid for (pid,) in fleet.ask("SELECT pid FROM processes")}

        until(lambda: live() == workers(machine) and len(live()) == 3, WITHIN_S, "three live")
        asked = [machine.call("", "GET", "/readyz")[1].get("process") for _ in range(60)]
        assert len(set(asked) - {None}) > 1
        alice, bob = fleet.agent("alice"), fleet.agent("bob")
        readers = [Follower(machine.url, bob) for _ in range(6)]
        ids = {
            machine.call(alice, "POST", "/api/send", {"to": "bob", "body": "x"})[1]["id"]
            for _ in range(20)
        }
        for reader in readers:
            reader.hear(ids)
            reader.close()
        dead = max(live())
        os.kill(dead, signal.SIGKILL)
        until(
            lambda: dead not in workers(machine) and len(workers(machine)) == 3,
            WITHIN_S,
            "another is started",
        )
        until(lambda: live() == workers(machine), WITHIN_S, "the dead one is buried")
        reader = Follower(machine.url, bob)
        assert machine.stop() == 0
        until(lambda: reader.ended, WITHIN_S, "the stream has ended")
        assert reader.kinds[-1] == "bye"
        reader.close()
        assert "SIGKILL" not in machine.log.partition("process_lost")[2]
        assert not live()


def test_several_processes_on_a_sqlite_file_are_refused_with_the_reason(tmp_path):
    environment = clean_environment(BUS_DATA_DIR=str(tmp_path / "data"), BUS_PORT="0")
    subprocess.run([str(BIN / "bus"), "init"], env=environment, check=True, capture_output=True)
    command = [str(BIN / "bus"), "serve", "--workers", "2"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "BUS_WORKERS=2 needs BUS_DATABASE_URL" in done.stderr


def test_a_slip_of_the_pen_starts_no_thousand_processes(tmp_path):
    url = "postgresql+psycopg://wakebus@127.0.0.1/wakebus"
    with pytest.raises(ConfigError, match="BUS_WORKERS is at most 256, not 1000"):
        Config.from_env(
            {"BUS_DATA_DIR": str(tmp_path), "BUS_DATABASE_URL": url, "BUS_WORKERS": "1000"}
        )


class Listener(Follower):
    """Keeps what it was told of others' coming and going."""

    def __post_init__(self):
        self.seen = []
        super().__post_init__()

    def _hear(self, told):
        data = json.loads(told.get("data", "{}"))
        if data.get("what") == "presence":
            self.seen.append((data["who"], data["online"]))
        super()._hear(told)


def test_who_was_there_before_all_processes_died_is_away_though_several_come_back_at_once(
    cluster, tmp_path
):
    with fleet_on(cluster, tmp_path, 1, name="together") as fleet:
        (one,) = fleet.machines
        ada, pat = fleet.agent("ada"), fleet.agent("pat", "person")
        made = {"title": "paint the shed", "participants": ["pat"]}
        assert one.call(ada, "POST", "/api/sessions", made)[0] == 201
        told = "SELECT 1 FROM leases WHERE name LIKE 'here %'"
        stream = Follower(one.url, pat)
        until(lambda: fleet.ask(told), WITHIN_S, "it is told that pat is here")
        one.end()
        stream.close()
        fleet.ask("DELETE FROM processes")
        fleet.ask(COMES)
        one.start()
        until(lambda: not fleet.ask(told), WITHIN_S, "it is told that pat went")


def test_who_is_in_a_session_hears_once_that_somebody_went_with_a_process(cluster, tmp_path):
    with fleet_on(cluster, tmp_path, 3, name="presence") as fleet:
        one, two, three = fleet.machines
        ada, pat = fleet.agent("ada"), fleet.agent("pat", "person")
        made = {"title": "paint the shed", "participants": ["pat"]}
        assert one.call(ada, "POST", "/api/sessions", made)[0] == 201
        listener = Listener(one.url, ada)
        first = Follower(two.url, pat)
        until(lambda: listener.seen == [("pat", True)], WITHIN_S, "they hear that pat came")
        second = Follower(three.url, pat)
        first.close()  # a change of process is no going
        before = three.call(pat, "GET", "/api/inbox?wait=12")[0]  # longer than it takes to be away
        assert (before, listener.seen) == (200, [("pat", True)])
        three.end()
        told = [("pat", True), ("pat", False)]
        until(lambda: listener.seen == told, WITHIN_S, "they hear that pat went")
        second.close()
        last = one.call(ada, "POST", "/api/send", {"to": "ada", "body": "x"})[1]["id"]
        listener.hear({last})
        assert listener.seen == told
        listener.close()
