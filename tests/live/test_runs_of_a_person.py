"""A person dispatches: what comes on the stream and into the inbox, by what `notify` asks for."""

from __future__ import annotations

import pytest

from tests.live.test_runs import ORDER, Cast


@pytest.fixture
def cast(bus):
    """Pia is a person who dispatches, otto one of another compartment."""
    made = Cast(bus)
    for name, where in (("pia", ["open"]), ("otto", ["apart"])):
        made.tokens[name] = bus.add(name, "person", compartments=where)
    return made


def until_marked(cast, live, who):
    """Give what a stream tells up to a message that is sent to its reader now."""
    mark = cast.ask("ann", "POST", "/api/send", {"to": who, "body": "mark"})["id"]
    told = []
    for kind, data in live:
        if data.get("id") == mark:
            return told
        told.append((kind, data))
    raise AssertionError(told)


def opened(cast, who):
    """Open somebody's stream, behind what it begins with."""
    live = cast.events(who, "now")
    assert next(live)[0] == "hello"
    return live


@pytest.mark.parametrize(
    ("notify", "letters"),
    [("done_only", ["RESULT"]), ("state_changes", ["STATUS", "RESULT"]), ("silent", [])],
)
@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_person_hears_of_a_run_on_the_stream_and_by_mail_as_asked(cast, notify, letters, status):
    live = opened(cast, "pia")
    order = ORDER | {"notify": notify}
    run_id = cast.ask("pia", "POST", "/api/runs", order, 202)["run_id"]
    said = {"claim": cast.claim(run_id), "status": status, "output": "4 files"}
    cast.ask("wim", "POST", f"/api/runs/{run_id}/end", said)
    told = until_marked(cast, live, "pia")
    live.close()
    runs = [data for kind, data in told if kind == "run"]
    assert [data["state"] for data in runs] == ["queued", "working", status]
    assert {(data["run_id"], data["to_agent"], data["notify"]) for data in runs} == {
        (run_id, "pia", notify)
    }
    assert "4 files" not in str(runs), "what a worker said is asked for, and not on a stream"
    assert [data["type"] for kind, data in told if kind == "message"] == letters
    items = cast.ask("pia", "GET", "/api/inbox?limit=100")["items"]
    assert [item["type"] for item in items if item["from"] == "wim"] == letters
    assert not any("wake you" in item["body"] for item in items), "nobody wakes a person"
    assert cast.ask("admin", "GET", "/api/wakes?state=all")["wakes"] == []
    assert cast.ask("pia", "GET", f"/api/runs?parent=me&state={status}")["runs"]


def test_a_person_who_was_away_finds_the_end_on_the_stream_from_where_it_was(cast):
    run_id = cast.ask("pia", "POST", "/api/runs", ORDER | {"notify": "silent"}, 202)["run_id"]
    live = cast.events("pia", "now")
    _, hello = next(live)
    live.close()
    cast.end(run_id, cast.claim(run_id))
    live = cast.events("pia", f"{hello['epoch']}-{hello['head']}")
    states = []
    for kind, data in live:
        states += [data["state"]] if kind == "run" else []
        if "completed" in states:
            break
    live.close()
    assert states == ["working", "completed"]


def test_a_person_of_another_compartment_hears_nothing_of_it(cast):
    cast.ask("admin", "POST", "/api/agents", {"name": "olaf", "compartments": ["apart"]})
    made = cast.ask("admin", "POST", "/api/tokens", {"kind": "agent", "subject": "olaf"})
    cast.tokens["olaf"] = made["token"]
    live = opened(cast, "otto")
    run_id = cast.ask("pia", "POST", "/api/runs", ORDER, 202)["run_id"]
    cast.end(run_id, cast.claim(run_id))
    cast.ask("olaf", "POST", "/api/send", {"to": "otto", "body": "mark"})
    told = [next(live)]
    live.close()
    assert [kind for kind, _ in told] == ["message"]
    assert run_id not in str(told)
