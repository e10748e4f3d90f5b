"""Whoever changes process at random hears everything once, in the order of the log."""

from __future__ import annotations

from tests.live.fleetrig import fleet_on
from tests.live.roving import LIMITS, rove
from tests.postgres import serving

SECONDS = 8.0


def test_readers_that_change_process_hear_all_once_and_in_order(tmp_path):
    with serving() as cluster, fleet_on(cluster, tmp_path, 3, **LIMITS) as fleet:
        figures = rove(fleet, SECONDS, seed=1)
        assert figures["accepted"] > 20
        assert figures["changes of process"] > 20
        assert set(figures["answers"]) == {"202"}
