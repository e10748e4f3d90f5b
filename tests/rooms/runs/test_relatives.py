"""What a run belongs to: its group, and what its worker dispatched of itself."""

from __future__ import annotations

import pytest

from bus.errors import NotFoundError
from bus.runs import service as runs


def relatives(works, run_id, reader="alice"):
    with works.house.store.read() as conn:
        return runs.relatives_of(conn, works.house.principal(reader), run_id)


def test_a_run_names_the_others_of_its_group(works):
    one, two = (each["run_id"] for each in works.start_group({}, {})["runs"])
    assert [each["run_id"] for each in relatives(works, one)["group"]] == [two]
    with pytest.raises(NotFoundError):
        relatives(works, one, "charlie")


def test_a_run_names_what_its_worker_dispatched_meanwhile_and_nothing_else(works):
    before = works.start()["run_id"]
    works.house.clock.advance(1)
    works.claim(before)
    works.house.clock.advance(1)
    child = works.start("wim", worker="will")["run_id"]
    works.end(before)
    works.house.clock.advance(1)
    assert [each["run_id"] for each in relatives(works, before, "pia")["children"]] == [child]
    assert relatives(works, child, "pia")["children"] == []
    assert relatives(works, before)["children"] == []  # not the grandparent's to see


def test_runs_looked_up_by_their_ids_are_the_reader_s_own_alone(works):
    run_id = works.start()["run_id"]
    with works.house.store.read() as conn:
        mine = runs.states_of(conn, works.house.principal("alice"), [run_id, "r_none"])
        others = runs.states_of(conn, works.house.principal("charlie"), [run_id])
    assert mine[run_id]["state"] == "queued"
    assert list(mine) == [run_id]
    assert others == {}
