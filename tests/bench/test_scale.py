"""The model of several processes says what docs/explanation/scale.md says it does."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.scale import Fleet, Machine

WIDE = Machine(cores=16)


def rate(**changed):
    return Fleet(replace(WIDE, **changed)).run()


def test_a_third_process_does_not_help_a_sender_and_parts_of_the_log_would():
    one, two, four = (rate(processes=number) for number in (1, 2, 4))
    assert one < two
    assert four < 1.1 * two, "one door is one door"
    assert rate(processes=4, locks=4) > 2.5 * four


def test_no_process_takes_more_than_its_one_thread_has():
    busy = Machine(cores=16, processes=1, outside_ms=2.0)
    assert Fleet(busy).run() < 1000 / busy.outside_ms
