"""A ladder in words: what went on from each rung to the next, and what is not known of it."""

from __future__ import annotations

from bus.clock import to_text
from bus.pages.ladders import draw_delivery, draw_run

BEGIN = 1_780_000_000_000


def rung(after_ms, state, **more):
    known = {"attempt": 1, "reason": "", "seen": True, "wake_id": None, "turn_id": None}
    return {"at": to_text(BEGIN + after_ms), "state": state, **known, **more}


def delivery(*rungs, ended=True, **more):
    return {"ladder": list(rungs), "ended": ended, "reason": rungs[-1]["reason"], **more}


def words(stretches):
    return [(one.name, one.from_ms - BEGIN, one.took_ms, one.notes) for one in stretches]


def test_each_stretch_has_its_name_its_length_and_its_reason():
    drawn = draw_delivery(
        delivery(
            rung(0, "accepted"),
            rung(0, "held", reason="quiet hours of bob until 07:00"),
            rung(7_200_000, "queued"),
            rung(7_200_500, "read", turn_id="t-1"),
            rung(7_212_500, "acked"),
        ),
        {},
        BEGIN + 9_000_000,
    )
    assert words(drawn) == [
        ("held", 0, 7_200_000, ("quiet hours of bob until 07:00",)),
        ("waiting", 7_200_000, 500, ()),
        ("read, at work", 7_200_500, 12_000, ("turn t-1",)),
        ("acked", 7_212_500, 0, ()),
    ]
    assert not any(one.goes_on for one in drawn)


def test_what_lasts_goes_on_until_now_and_says_why():
    one = delivery(rung(0, "accepted"), rung(0, "queued"), ended=False)
    (drawn,) = draw_delivery(one | {"reason": "waiting: node attic offline"}, {}, BEGIN + 600_000)
    assert (drawn.took_ms, drawn.goes_on) == (600_000, True)
    assert drawn.notes == ("node attic offline",)


def test_a_clock_that_was_put_back_draws_nothing_that_ends_before_it_begins():
    one = delivery(rung(0, "accepted"), rung(0, "queued"), ended=False)
    (drawn,) = draw_delivery(one, {}, BEGIN - 5000)
    assert drawn.took_ms == 0


def test_a_rung_that_could_not_be_seen_is_said_not_to_have_been():
    drawn = draw_delivery(
        delivery(rung(0, "queued"), rung(10, "woken", seen=False), rung(20, "acked")), {}, BEGIN
    )
    assert drawn[1].name == "turn asked for"
    assert not drawn[1].is_seen
    assert "not seen" in drawn[1].notes[0]
    assert "woken" not in str(drawn)


def test_the_turn_is_drawn_from_its_admission_to_its_end_and_no_turn_is_made_up():
    one = delivery(
        rung(0, "queued"),
        rung(5, "notified", wake_id="w_1"),
        rung(100, "woken", wake_id="w_1"),
        rung(300, "read", wake_id="w_2"),
        rung(400, "acked"),
        replied_at=to_text(BEGIN + 350),
    )
    turns = {
        "w_1": {
            "method": "gateway",
            "result": "ended",
            "admitted_at": to_text(BEGIN + 100),
            "closed_at": to_text(BEGIN + 12_100),
        },
        "w_2": {"method": "", "result": ""},
    }
    drawn = {stretch.name: stretch for stretch in draw_delivery(one, turns, BEGIN + 20_000)}
    assert (drawn["the turn"].took_ms, drawn["the turn"].notes) == (12_000, ("by gateway", "ended"))
    assert drawn["answered"].from_ms == BEGIN + 350
    names = [stretch.name for stretch in draw_delivery(one, turns, BEGIN + 20_000)]
    assert names.count("the turn") == 1


def test_a_turn_that_lives_goes_on():
    one = delivery(rung(0, "woken", wake_id="w_1"), ended=False)
    turn = {"method": "hook", "result": "", "admitted_at": to_text(BEGIN)}
    assert [each.goes_on for each in draw_delivery(one, {"w_1": turn}, BEGIN + 5)] == [True, True]


def test_a_run_says_where_its_time_went_and_what_it_came_to():
    run = {
        "ladder": [rung(0, "submitted"), rung(40, "queued"), rung(90, "working")],
        "reason": "",
        "ended_at": None,
    }
    assert words(draw_run(run, BEGIN + 100)) == [
        ("waits for a place", 0, 40, ()),
        ("offered to its node", 40, 50, ()),
        ("at work", 90, 10, ()),
    ]
    over = run | {"ladder": [*run["ladder"], rung(95, "timed_out", reason="300 s are over")]}
    last = draw_run(over | {"ended_at": to_text(BEGIN + 95)}, BEGIN + 500)[-1]
    assert (last.name, last.kind, last.took_ms) == ("timed out", "bad", 0)
