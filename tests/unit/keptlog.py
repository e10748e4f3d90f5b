"""A log in a real database, without the bus that writes it."""

from __future__ import annotations

import sqlalchemy as sa

from bus.store import schema


class Kept:
    """A store that only reads, with a clock that stands."""

    def __init__(self):
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        schema.metadata.create_all(self.engine)
        self.clock, self.now_s = self, 0.0
        self.put(schema.meta, [{"key": "epoch", "value": "e"}])

    def monotonic_s(self):
        return self.now_s

    def read(self):
        return self.engine.connect()

    def put(self, table, rows):
        with self.engine.begin() as conn:
            conn.execute(table.insert(), rows)

    def append(self, first, last):
        facts = {"at_ms": 0, "kind": "message", "sender_id": None, "node_id": None, "data": "{}"}
        rows = [{"seq": at, "participant_id": at % 2, **facts} for at in range(first, last + 1)]
        self.put(schema.log, rows)
