"""What an agent has leased has an index of its own: every send of an agent asks for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    leased = sa.text("state = 'read'")
    op.create_index(
        "ix_deliveries_leased",
        "deliveries",
        ["recipient_id"],
        sqlite_where=leased,
        postgresql_where=leased,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
