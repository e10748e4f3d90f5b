"""The rows of the processes on one database, and of what one does for all: their statements.

They are run apart from the one writer's transactions, so that a process is heard of also while
another has the database. All times in them are the database's own. None waits for the disk: after
a crash of the server an older row is as good.
"""

from __future__ import annotations

import sqlalchemy as sa

from bus.store.leases import LEASE_MS, NAMES
from bus.store.schema import WHOLE
from bus.store.words import postgresql_only

buckets = sa.Table(
    "buckets",
    postgresql_only,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("tokens", sa.Double, nullable=False),
    sa.Column("given", sa.Double, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    prefixes=["UNLOGGED"],
)
"""What limits hold for all processes; a crash of the server fills every bucket."""

DEAD_MS = 10_000
"""After so long without a word a process of the bus is none."""
NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
NOW_US = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
AT_ONCE = "set_config('synchronous_commit', 'off', true)"
"""Asked in a statement: its commit does not wait for the disk."""

# ruff: noqa: S608 - nothing of these comes from outside
NOW = f"SELECT {NOW_US}"
BEAT = f"""
    INSERT INTO processes (id, host, pid, started_ms, heard_ms, state)
    SELECT %s, %s, %s, {NOW_MS}, {NOW_MS}, %s FROM {AT_ONCE}
    ON CONFLICT (id) DO UPDATE SET heard_ms = excluded.heard_ms, state = excluded.state
    RETURNING heard_ms
"""
BURY = f"""
    DELETE FROM processes WHERE heard_ms <= {NOW_MS} - {DEAD_MS} AND {AT_ONCE} = 'off'
    RETURNING id, host, pid
"""
ALL = f"SELECT id, started_ms, state FROM processes WHERE heard_ms > {NOW_MS} - {DEAD_MS}"
SAID = f"""
    SELECT host, pid, state FROM processes WHERE heard_ms > {NOW_MS} - {DEAD_MS} ORDER BY host, pid
"""
LEAVE = f"DELETE FROM processes WHERE id = %s AND {AT_ONCE} = 'off'"

LEASES = f"SELECT name, holder, until_ms, {NOW_MS} FROM leases WHERE name = ANY(%s)"
TAKE = f"""
    INSERT INTO leases (name, holder, until_ms) SELECT %s, %s, {NOW_MS} + {LEASE_MS} FROM {AT_ONCE}
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
    WHERE leases.holder = excluded.holder OR leases.until_ms <= {NOW_MS}
    RETURNING holder
"""
RELEASE = f"""
    UPDATE leases SET holder = '', until_ms = {NOW_MS}
    WHERE holder = %s AND name = ANY(%s) AND {AT_ONCE} = 'off'
"""
"""What was let go says since when nobody has it; what ran out says until when somebody could."""
HEAD = "SELECT (SELECT max(seq) FROM log), (SELECT value FROM meta WHERE key = 'rights')"
NEWER = """
    SELECT participant_id, sender_id, node_id FROM log WHERE seq > %s ORDER BY seq LIMIT %s
"""
HINT = "SELECT pg_notify(%s, %s)"
LEASE_NAMES = list(NAMES)

DRAW = """
    INSERT INTO buckets AS had (name, tokens, given, at_ms)
    SELECT %(name)s, %(burst)s::float8 - %(block)s, %(block)s, NOW_MS FROM AT_ONCE
    ON CONFLICT (name) DO UPDATE SET
        given = least(%(block)s, floor(FULL)),
        tokens = FULL - least(%(block)s, floor(FULL)),
        at_ms = greatest(had.at_ms, excluded.at_ms)
    RETURNING given, tokens
""".replace(
    "FULL",
    "least(%(burst)s, had.tokens"
    " + greatest(0, excluded.at_ms - had.at_ms) * %(rate)s::float8 / 1000)",
)
DRAW = DRAW.replace("NOW_MS", NOW_MS).replace("AT_ONCE", AT_ONCE)
"""Take up to a block of a bucket, which has filled up since."""
FORGET = f"DELETE FROM buckets WHERE at_ms < {NOW_MS} - %s"
