"""The brief: what happened since, by thread, and only what its reader may see."""

from __future__ import annotations

import pytest

from bus.alerts import service as alerts
from bus.alerts.model import Draft as Alert
from bus.board import service as board
from bus.board.model import Change
from bus.board.model import Draft as Task
from bus.brief import service as brief
from bus.brief.rules import arrange, write_text
from bus.clock import to_text
from bus.directory import service as directory
from bus.errors import InvalidRequestError
from bus.guard import queries as guard
from bus.mail import service as mail
from bus.runs import service as runs
from bus.runs.model import Batch, Order, Outcome
from bus.sections import Entry, Section


@pytest.fixture
def day(house):
    """Pat is a person of the open compartment, as alice and bob are; charlie is apart."""
    house.store.write(lambda tx: directory.add(tx, {"name": "pat", "kind": "person"}))
    house.clock.advance(60)
    return house


def ask(house, name, since_ms=None, most=50):
    who = house.principal(name)
    rooms = house.store.hooks.called("brief_sections")
    now, config = house.clock.now_ms(), house.store.config
    with house.store.read() as conn:
        return brief.tell(conn, who, rooms, since_ms, most, now, config)


def see(house, name, until_ms):
    who = house.principal(name)
    return house.store.write(lambda tx: brief.set_seen(tx, who, until_ms))


def counts(told):
    return {one["section"]: one["total"] for one in told["sections"]}


def kill(house, sender, to, **draft):
    """Have a message end dead at its reader."""
    sent = house.send(sender, to, **draft)
    who = house.principal(to)
    (item,) = [item for item in house.read(to) if item.row.message_id == sent["id"]]
    house.store.write(lambda tx: mail.release(tx, who, [item.handle], "fatal", "no such file"))
    return sent


def hold(house, sent):
    reason, thread = "guard: 25 hops", sent["thread"]
    house.store.write(lambda tx: guard.keep(tx.conn, thread, tx.now_ms, reason=reason))


def block(house, name, title):
    who = house.principal(name)
    task = house.store.write(lambda tx: board.add(tx, who, Task(title), None))
    change = Change(status="blocked", note="no paint")
    house.store.write(lambda tx: board.act(tx, who, task["id"], change))
    return task["id"]


def test_a_brief_has_the_most_important_first(day):
    day.send("alice", "bob", subject="small talk")
    day.send("bob", "alice", type="RESULT", subject="the answer")
    hold(day, day.send("alice", "bob"))
    kill(day, "alice", "bob", subject="do this")
    block(day, "alice", "paint it")
    told = ask(day, "pat")
    order = ["blocked", "dead", "held", "results", "said"]
    assert [section for section in counts(told) if section in order] == order
    firsts = [group["items"][0]["section"] for group in told["threads"]]
    assert firsts == sorted(firsts, key=[*order[:4], "waiting", "said"].index)
    assert "paint it" in told["threads"][0]["items"][0]["text"]
    assert "no such file" in told["threads"][1]["items"][0]["text"]


def test_all_that_is_told_of_a_thread_stands_together(day):
    sent = kill(day, "alice", "bob", subject="do this")
    (group,) = [one for one in ask(day, "pat")["threads"] if one["thread"] == sent["thread"]]
    assert [item["section"] for item in group["items"]] == ["dead", "said"]
    assert group["subject"] == "do this"


def test_a_brief_begins_where_the_last_one_ended(day):
    day.send("alice", "bob")
    day.clock.advance(1)  # what comes in the very moment of a brief is told twice, not never
    first = ask(day, "pat")
    assert first == ask(day, "pat"), "asking takes nothing away"
    see(day, "pat", day.clock.now_ms())
    day.clock.advance(1)
    assert ask(day, "pat")["sections"] == []
    assert ask(day, "pat")["since"] == first["until"]
    day.send("bob", "alice")
    assert counts(ask(day, "pat")) == {"said": 1}
    assert counts(ask(day, "pat", since_ms=day.clock.now_ms() - 10_000)) == {"said": 2}


def test_what_was_seen_never_goes_back_nor_beyond_now(day):
    now = day.clock.now_ms()
    see(day, "pat", now)
    assert see(day, "pat", now - 5000) == to_text(now)
    assert see(day, "pat", now + 10**9) == to_text(now)


def test_a_time_to_come_is_refused(day):
    with pytest.raises(InvalidRequestError, match="still to come"):
        ask(day, "pat", since_ms=day.clock.now_ms() + 1)


def test_nobody_is_told_of_what_they_may_not_see(day):
    hold(day, day.send("alice", "bob"))
    kill(day, "alice", "bob")
    block(day, "alice", "paint it")
    assert ask(day, "charlie")["sections"] == []
    day.store.write(
        lambda tx: directory.add(tx, {"name": "olga", "kind": "person", "compartments": ["apart"]})
    )
    assert ask(day, "olga")["sections"] == []


def test_an_agent_is_told_of_its_own_alone(day):
    day.store.write(lambda tx: directory.add(tx, {"name": "dora"}))
    day.send("alice", "bob", type="RESULT")
    assert counts(ask(day, "alice")) == {"results": 1}
    assert counts(ask(day, "bob")) == {"results": 1, "waiting": 1}
    assert ask(day, "dora")["sections"] == []


def test_what_is_held_back_from_somebody_is_in_no_brief_of_theirs(day):
    day.send("alice", "bob", deliver_ms=day.clock.now_ms() + 60_000, subject="later")
    assert ask(day, "bob")["sections"] == []
    assert counts(ask(day, "alice")) == {"said": 1}


def test_a_brief_is_bounded_and_says_how_much_there_is(day):
    for _ in range(5):
        day.send("alice", "bob", type="RESULT")
    told = ask(day, "pat", most=2)
    (section,) = told["sections"]
    assert (section["total"], section["shown"]) == (5, 2)
    assert sum(len(group["items"]) for group in told["threads"]) == 2


def test_a_brief_reads_no_body(day):
    day.send("alice", "bob", body="a secret word", subject="")
    assert "a secret word" not in str(ask(day, "pat"))


@pytest.fixture
def work(day):
    """Wim is a worker; gives what has alice dispatch to it and it end in one way."""
    wim = {"name": "wim", "kind": "worker", "node": "one"}
    day.store.write(lambda tx: directory.add(tx, wim))

    def do(label, status, parent="alice", **more):
        who, worker = day.principal(parent), day.principal("wim")
        order = Order("wim", "do it", label, 60, "keep", notify=more.pop("notify", "done_only"))
        batch = Batch((order,))
        run_id = day.store.write(lambda tx: runs.dispatch(tx, who, batch))["run_id"]
        day.store.write(lambda tx: runs.claim(tx, worker, run_id, "one", ""))
        outcome = Outcome(status, **more)
        day.store.write(lambda tx: runs.end(tx, worker, run_id, 1, outcome))
        return run_id

    return do


def test_failed_runs_come_before_dead_mail_and_finished_ones_with_the_results(day, work):
    kill(day, "alice", "bob", subject="do this")
    done = work("fine", "completed", notify="silent")
    lost = work("bad", "failed", reason="no\ndisk \x1b[2J")
    told = ask(day, "pat")
    assert list(counts(told)) == ["failed", "dead", "runs", "said"]
    items = {item["id"]: item["text"] for group in told["threads"] for item in group["items"]}
    assert items[done] == f"fine of alice by wim is completed ({done})"
    assert items[lost].startswith('bad of alice by wim is failed: "no disk')
    assert "\n" not in items[lost]
    assert "failed" in counts(ask(day, "alice")), "its parent"
    assert not {"failed", "runs"} & set(counts(ask(day, "bob")))
    assert ask(day, "charlie")["sections"] == []


def test_what_a_worker_sent_of_a_run_is_told_once(day, work):
    work("fine", "completed")
    assert counts(ask(day, "alice")) == {"runs": 1, "waiting": 1}
    day.send("wim", "alice", type="RESULT", subject="by hand, and of no run")
    assert counts(ask(day, "alice"))["results"] == 1


def raise_one(house, severity, subject):
    who, draft = house.principal("alice"), Alert(severity, subject)
    return house.store.write(lambda tx: alerts.raise_alert(tx, who, draft, None))["id"]


def test_open_alerts_come_first_and_the_critical_before_all(day):
    day.store.write(lambda tx: directory.change(tx, "alice", {"escalate_to": ["bob"]}))
    task = block(day, "alice", "paint it")
    assert list(counts(ask(day, "pat"))) == ["blocked"], "its alert went to nobody yet"
    grave, over = raise_one(day, "critical", "fire"), raise_one(day, "info", "it is noon")
    who = day.principal("alice")
    day.store.write(lambda tx: alerts.settle(tx, who, over, ""))
    raise_one(day, "warning", 'a\n"b"')
    told = ask(day, "pat")
    assert list(counts(told))[:3] == ["critical", "alerts", "blocked"]
    texts = [group["items"][0]["text"] for group in told["threads"]]
    assert texts[0].endswith(f"({grave})")
    assert texts[1].startswith("warning by alice: \"a 'b'\", last told: bob")
    assert over not in str(told), "it is settled"
    assert not {"critical", "alerts"} & set(counts(ask(day, "charlie")))
    day.pass_time(day.store.config.escalate_after_s)
    (of_task,) = [one for one in ask(day, "pat")["threads"] if task in str(one)]
    assert [item["section"] for item in of_task["items"]] == ["alerts", "blocked"]


def test_costs_are_told_by_agent_and_the_dearest_threads_with_their_thread(day, work):
    assert "cost" not in counts(ask(day, "pat"))
    for number in range(5):
        work(
            f"n{number}", "completed", tokens_in=10, tokens_out=number, cost_microusd=number * 1000
        )
    told = ask(day, "pat")
    texts = [
        item["text"]
        for group in told["threads"]
        for item in group["items"]
        if item["section"] == "cost"
    ]
    (whole,) = [text for text in texts if "wim" in text]
    assert "0.0100 USD, 60 tokens; wim 0.0100 USD, 60 tokens" in whole
    assert len(texts) == 4, "the whole, and the three dearest threads"
    assert not any("0.0010" in text for text in texts)
    assert "cost" not in counts(ask(day, "bob"))


def test_what_a_brief_leaves_out_it_counts_and_says_where_it_is(day, work):
    for number in range(4):
        work(f"n{number}", "failed", reason="x")
    told = ask(day, "pat", most=3)
    (failed,) = [one for one in told["sections"] if one["section"] == "failed"]
    assert (failed["total"], failed["shown"]) == (4, 3)
    assert failed["command"] == "bus run list --state all"
    assert "- failed runs: 4 (+1 more: GET /api/runs?state=all)" in write_text(told)


def test_a_room_that_comes_later_has_its_place_by_its_rank(day):
    cost = Section("cost", "cost", 1, (Entry(1, "3.20 USD", "alice"),), 1)
    day.store.hooks.on("brief_sections", lambda *_: [cost])
    day.send("alice", "bob")
    told = ask(day, "pat")
    assert next(iter(counts(told))) == "cost"
    assert told["threads"][0]["items"][0]["text"] == "3.20 USD"


def test_the_newest_of_equals_comes_first():
    entries = tuple(Entry(at, str(at), f"id{at}", f"t_{at}") for at in (1, 3, 2))
    groups = arrange([Section("said", "said", 80, entries, 3)])
    assert [group["thread"] for group in groups] == ["t_3", "t_2", "t_1"]


def test_as_a_text_it_is_a_line_a_fact_and_says_how_to_go_on(day):
    kill(day, "alice", "bob", subject="do\u2028this")
    text = write_text(ask(day, "pat"))
    assert '"do this"' in text
    assert "POST /api/brief" in text
    assert len(text.splitlines()) == len(text.split("\n")) - 1
