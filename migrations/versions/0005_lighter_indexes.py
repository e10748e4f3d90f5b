"""Indexes hold only the rows that are looked for by them: each send wrote to all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KNOWN = (
    ("ix_log_participant", "log", ["participant_id", "seq"], False),
    ("ix_log_node", "log", ["node_id", "seq"], False),
    ("ix_messages_in_reply_to", "messages", ["in_reply_to"], False),
    ("uq_messages_reply_key", "messages", ["reply_key"], True),
)


def upgrade() -> None:
    for name, table, columns, unique in KNOWN:
        make_anew(name, table, columns, f"{columns[0]} IS NOT NULL", unique=unique)
    failed = "(state = 'dead' OR state = 'expired' OR state = 'refused')"
    make_anew("ix_deliveries_failed", "deliveries", ["id"], failed)


def make_anew(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    """Replace an index by one of only some rows."""
    op.drop_index(name, table_name=table)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
