"""What a person who waits for a message is told: each rung, why nothing comes, and how it ended."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime

import pytest
from commandline import BUS

from bus.cli.calling import Caller
from bus.cli.ladder import draw_outlook
from bus.cli.tail import Shown
from bus.client import Event


def followed(caller, *words):
    """Start a command that follows; its lines come one by one."""
    return subprocess.Popen(
        [BUS, *words], env=caller.environment, stdout=subprocess.PIPE, text=True
    )


def read_until(process, what):
    lines = [process.stdout.readline()]
    while what not in lines[-1]:
        assert lines[-1], lines
        lines.append(process.stdout.readline())
    return lines


def test_a_message_that_dies_is_code_1_and_one_that_is_acked_0(act_as):
    one, two = act_as("one"), act_as("two", "person")
    for end, code in ((("release", "--mode", "fatal"), 1), (("ack",), 0)):
        with followed(one, "send", "two", "watch me", "--follow") as process:
            head = read_until(process, "queued")[0]
            handle = two("inbox", "--json").json["items"][0]["handle"]
            assert two(*end, handle).code == 0
            process.stdout.read()
            assert process.wait(20) == code
        message_id = head.split()[0]
        assert one("trace", message_id, "--follow").code == code
        assert one("trace", message_id).code == 0


@pytest.fixture
def quick_bus(bus, monkeypatch):
    """A bus whose heart beats fast, so that who looks at each beat need not be waited for."""
    usual = type(bus).environment.fget
    quick = property(lambda self: usual(self) | {"BUS_HEARTBEAT_S": "0.2"})
    bus.stop()
    monkeypatch.setattr(type(bus), "environment", quick)
    bus.start()
    return bus


def test_why_nothing_comes_is_shown_once_and_again_when_it_changes(quick_bus, as_admin, act_as):
    one = act_as("one")
    assert as_admin("node", "add", "attic", "--agents", "ben").code == 0
    with followed(one, "send", "ben", "are you there?", "--follow") as process:
        assert "waiting: node attic" in read_until(process, "waiting: ")[-1]
        assert as_admin("agent", "pause", "ben").code == 0
        now = read_until(process, "waiting: ")[-1].strip()
        assert now.startswith("waiting: paused by the administration since ")
        process.terminate()
        assert "waiting: " not in process.stdout.read()
    with followed(one, "send", "ben", "and now?", "--follow", "--json") as process:
        waits = json.loads(read_until(process, "waits")[-1])
        assert waits["to"] == "ben"
        assert waits["waits"].startswith("waiting: paused by the administration since ")
        process.terminate()


def test_a_time_in_a_reason_is_on_this_clock_face():
    delivery = {
        "reason": "waiting: node attic offline since 2026-11-20T21:04:05.123Z",
        "ladder": [],
    }
    (line,) = draw_outlook(delivery)
    at = datetime(2026, 11, 20, 21, 4, 5, tzinfo=UTC).astimezone()
    assert line.strip() == f"waiting: node attic offline since {at:%Y-%m-%d %H:%M:%S}"


def wake(state, total, attempt=1):
    asked_at = "2026-11-20T21:04:05.123Z"
    data = {"to_agent": "ben", "wake_id": "w_1", "state": state, "attempt": attempt}
    data |= {"pending": {"total": total, "urgent": 0}, "asked_at": asked_at}
    return Event("wake", "e-1", json.dumps(data))


def test_a_wake_that_is_asked_again_is_written_once_and_each_new_state_too(capsys):
    shown, person, program = Shown(), Caller(None, as_json=False), Caller(None, as_json=True)
    events = [wake("asked", 1), wake("asked", 2), wake("notified", 2), wake("asked", 2, 2)]
    for event in events:
        shown.show(person, event)
    drawn = re.findall(r"ben  (\w+)  (\d)", capsys.readouterr().out)
    assert drawn == [("asked", "1"), ("notified", "2"), ("asked", "2")]
    for event in events:
        shown.show(program, event)
    assert len(capsys.readouterr().out.splitlines()) == len(events)


def test_a_brief_is_told_once_and_again_on_request(as_admin, act_as):
    lead = act_as("lead")
    act_as("other")
    as_admin("agent", "add", "pat", "--kind", "person")
    lead("send", "other", "all done", "--type", "RESULT", "--subject", "it is done")
    first = lead("brief")
    assert first.code == 0, first.err
    assert "it is done" in first.out
    assert "results" in first.out
    assert "nothing happened" in lead("brief").out
    again = next(line for line in first.out.splitlines() if "bus brief --since" in line)
    since = again.split()[-1]
    assert "it is done" in lead("brief", "--since", since).out
    assert "it is done" in as_admin("brief").out
    assert "it is done" in as_admin("brief").out, "the administration has no last one"
