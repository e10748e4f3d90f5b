"""What a stream takes while it is open, and gives back when it ends.

A place among the streams, the ear of the hub, its node's presence. Nothing of it needs a greenlet.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bus.errors import BusError
from bus.live.comings import note_coming, note_going
from bus.live.presence import Link
from bus.logs import log

if TYPE_CHECKING:
    from bus.live.outlet import Outlet
    from bus.live.reader import Reads


def hold(outlet: Outlet) -> None:
    """Take what a stream holds.

    Raises:
        TooManyStreamsError: there is no place.
        InstanceBusyError: another instance of its node's watcher is there.
    """
    run, principal = outlet.reader.run, outlet.reader.principal
    run.places.occupy(principal)
    try:
        if principal.node_id is not None and outlet.instance:
            link = Link(outlet.instance, outlet, since=run.fleet.stamp())
            run.presence.open(principal.node_id, link)
            outlet.reader.link = link
    except BusError:
        run.places.leave(principal)
        raise
    run.hub.join(outlet)
    if principal.participant_id is not None:
        note_coming(run, principal.participant_id)
    note_node(outlet.reader)


def let_go(outlet: Outlet) -> None:
    """Give back all that a stream held."""
    reader = outlet.reader
    run, link = reader.run, reader.link
    run.hub.leave(outlet)
    run.places.leave(reader.principal)
    if reader.principal.participant_id is not None:
        note_going(run, reader.principal.participant_id)
    if link is not None:
        # A node is offline then, unless a newer stream took this one's place.
        run.presence.close(reader.principal.node_id or 0, link)
    note_node(reader)
    reader.end()
    log("stream_closed", principal=reader.principal.name, instance=outlet.instance)


def note_node(reader: Reads) -> None:
    """Keep that a node's watcher was here just now; a fault of the disk must not end a stream."""
    if reader.link is None:
        return
    node_id = reader.principal.node_id
    with suppress(BusError):
        reader.run.store.write(lambda tx: tx.announce("node_seen", node_id=node_id))
