"""What has not ended is found by an index of its own: a send need not write to this one too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_deliveries_recipient", table_name="deliveries")
    op.create_index(
        "ix_deliveries_recipient",
        "deliveries",
        ["recipient_id", "ended_ms"],
        sqlite_where=sa.text("ended_ms IS NOT NULL"),
        postgresql_where=sa.text("ended_ms IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
