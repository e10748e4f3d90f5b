"""Of a wake: the one session that it is for, and whether what its turn says is shown there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("wakes", sa.Column("session", sa.Text(), nullable=True))
    shown = sa.Column("shown", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("wakes", shown)


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
