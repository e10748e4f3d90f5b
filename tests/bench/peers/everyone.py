"""All that are compared, in the order of the tables; the first one is what the others are held to.

A peer is a module of this folder with its `PEER`; here is the only place that lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.peers import (
    durablestreams,
    floor,
    mcpagentmail,
    mosquitto,
    nats,
    nchan,
    polling,
    postgresql,
    rabbitmq,
    redis,
    wakebus,
)

if TYPE_CHECKING:
    from tests.bench.peers.peer import Peer

PEERS: dict[str, Peer] = {
    "wakebus": wakebus.PEER,
    "inbox": wakebus.INBOX,
    "postgresql": postgresql.PEER,
    "nats": nats.PEER,
    "redis": redis.PEER,
    "mosquitto": mosquitto.PEER,
    "polling": polling.PEER,
    "nchan": nchan.PEER,
    "durable-streams": durablestreams.PEER,
    "mcp-agent-mail": mcpagentmail.PEER,
    "rabbitmq": rabbitmq.PEER,
    "nothing": floor.PEER,
}
"""By the names that `--only` takes."""
