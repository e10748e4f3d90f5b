"""Threads have a warning and count wakes, agents a day's budget of them, turns their cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def number(name: str, default: int | None = None, *, null: bool = False) -> sa.Column[int]:
    """Make an integer column."""
    given = None if default is None else str(default)
    return sa.Column(name, sa.Integer(), nullable=null, server_default=given)


def upgrade() -> None:
    op.add_column("holds", number("warned_ms", null=True))
    op.add_column("holds", number("wakes", 0))
    op.add_column("holds", number("wakes_ms", 0))
    index("ix_holds_held", "holds", ["at_ms"], "released_ms IS NULL AND reason <> ''")
    op.add_column("wakes", number("tokens_in", null=True))
    op.add_column("wakes", number("tokens_out", null=True))
    op.add_column("wakes", sa.Column("cost_usd", sa.REAL(), nullable=True))
    whose = ["participant_id", "admitted_ms"]
    index("ix_wakes_admitted", "wakes", whose, "admitted_ms IS NOT NULL")
    op.create_table(
        "wake_budgets",
        participant(),
        number("from_ms", 0),
        number("warned_ms", 0),
        number("told_ms", 0),
        sqlite_strict=True,
    )
    op.create_table(
        "costs",
        sa.Column("day", sa.Text(), primary_key=True),
        participant(),
        sa.Column("thread", sa.Text(), primary_key=True),
        number("turns"),
        number("tokens_in"),
        number("tokens_out"),
        sa.Column("cost_usd", sa.REAL(), nullable=False),
        sqlite_strict=True,
    )


def participant() -> sa.Column[int]:
    """Make a part of a key that names an agent."""
    return sa.Column(
        "participant_id", sa.Integer(), sa.ForeignKey("participants.id"), primary_key=True
    )


def index(name: str, table: str, columns: list[str], where: str) -> None:
    """Index the rows that are looked for by it."""
    op.create_index(
        name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
