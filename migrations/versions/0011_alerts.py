"""Alerts, who was told of each, and whom an agent's alerts go to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participants", sa.Column("escalate_to", sa.Text(), nullable=True))
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("about", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("compartment", sa.Text(), nullable=True),
        sa.Column("for_id", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_ms", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.Integer(), nullable=True),
        sa.Column("ended_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.ForeignKeyConstraint(["for_id"], ["participants.id"], name="fk_alerts_for_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_alerts_for", "alerts", ["for_id", "state", "id"])
    op.create_index("ix_alerts_about", "alerts", ["about", "state"])
    op.create_index("ix_alerts_state", "alerts", ["state", "id"])
    index_known("ix_alerts_due", "alerts", "due_ms")
    index_known("ix_alerts_ended", "alerts", "ended_ms")
    make_steps()


def make_steps() -> None:
    """Make who was told of each alert, and whose ack it waits for."""
    op.create_table(
        "alert_steps",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("waiting_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_alert_steps"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_steps_alert_id"),
        sa.ForeignKeyConstraint(["to_id"], ["participants.id"], name="fk_alert_steps_to_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_alert_steps_alert", "alert_steps", ["alert_id", "id"])
    op.create_index("ix_alert_steps_to", "alert_steps", ["to_id", "alert_id"])
    index_known("ix_alert_steps_waiting", "alert_steps", "waiting_id")


def index_known(name: str, table: str, column: str) -> None:
    """Index the rows that have a value there."""
    known = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, table, [column], sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
