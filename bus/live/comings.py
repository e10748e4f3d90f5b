"""Telling that somebody came, with their first stream, or went, with their last one.

A stream that is opened again within a moment is no going: a phone in a tunnel, a new connection of
the same reader. Those who hear of it are for the rooms to say; live knows streams alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import gevent

from bus.errors import BusError
from bus.store.told import take_as_told, was_told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bus.store.transaction import Transaction
    from bus.web.runtime import Runtime

AWAY_S = 10.0
"""After so long without a stream somebody is away."""


def note_coming(run: Runtime, participant_id: int) -> None:
    """Take a stream of an agent or a person."""
    if run.presence.come(participant_id):
        gevent.spawn(tell, run, participant_id)


def note_going(run: Runtime, participant_id: int) -> None:
    """Let a stream of theirs go."""
    if run.presence.go(participant_id):
        gevent.spawn_later(AWAY_S, tell, run, participant_id)


def tell(run: Runtime, participant_id: int) -> None:
    """Have it told whether somebody is here, where that is news and concerns anybody.

    A fault of the disk concerns nobody here: who asks is always answered what is true.
    """
    is_here = run.presence.is_here(participant_id)
    if run.fleet.is_shared:
        run.presence.take_as_told(participant_id, is_here=run.presence.has(participant_id))
    elif not run.presence.is_news(participant_id, is_here=is_here):
        return
    with suppress(BusError):
        with run.store.read() as conn:
            asked = run.store.hooks.called("has_company")
            if not any(call(conn, participant_id) for call in asked):
                return
            if run.fleet.is_shared and was_told(conn, participant_id) == is_here:
                return
        run.store.write(lambda tx: announce(run, tx, participant_id))


def announce(run: Runtime, tx: Transaction, participant_id: int) -> None:
    """Tell it, of several processes one."""
    is_here = run.presence.is_here(participant_id)
    if run.fleet.is_shared and not take_as_told(tx.conn, participant_id, is_here=is_here):
        return
    tx.announce("participant_seen", participant_id=participant_id, is_here=is_here)


def look_after(run: Runtime, participant_ids: Iterable[int]) -> None:
    """Have it told of those whose process is gone, and who do not come back to another one."""
    for participant_id in participant_ids:
        gevent.spawn_later(AWAY_S, tell, run, participant_id)
