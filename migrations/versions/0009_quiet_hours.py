"""Quiet hours of agents and people, what is held for them until when, and how far a brief went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participants", sa.Column("quiet", sa.Text(), nullable=True))
    op.add_column("participants", sa.Column("brief_ms", sa.Integer(), nullable=True))
    op.add_column("deliveries", sa.Column("quiet_ms", sa.Integer(), nullable=True))
    known = sa.text("quiet_ms IS NOT NULL")
    op.create_index(
        "ix_deliveries_quiet",
        "deliveries",
        ["quiet_ms"],
        sqlite_where=known,
        postgresql_where=known,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
