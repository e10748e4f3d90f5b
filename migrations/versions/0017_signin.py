"""Codes by which a person's browser signs in, and tokens that end when they are not used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    idle = sa.Column("idle_s", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("tokens", idle)
    op.create_table(
        "signins",
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("expires_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_signins"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name="fk_signins_participant_id"
        ),
        sqlite_strict=True,
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
