"""A released thread keeps how far it had come; counts of open mail have their own index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("holds", sa.Column("released_ms", sa.Integer(), nullable=True))
    op.add_column("holds", sa.Column("from_hops", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_deliveries_recipient", table_name="deliveries")
    op.create_index("ix_deliveries_recipient", "deliveries", ["recipient_id", "ended_ms"])
    held = sa.text("state = 'held'")
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["message_id"],
        sqlite_where=held,
        postgresql_where=held,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
