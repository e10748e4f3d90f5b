"""Tokens overlap, a pause has its time, a code its agents, a delivery an expiry of its own."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def number(name: str, default: int | None = None) -> sa.Column[int]:
    """Make an integer column: with a default, or one that may be empty."""
    given = None if default is None else str(default)
    return sa.Column(name, sa.Integer(), nullable=default is None, server_default=given)


def upgrade() -> None:
    for name in ("last_used_ms", "ends_ms"):
        op.add_column("tokens", number(name))
    op.add_column("tokens", number("renew", 0))
    op.add_column("participants", number("paused_ms"))
    op.add_column("participants", number("open_to_secret", 1))
    op.add_column("deliveries", number("until_ms"))
    op.add_column("enrolments", sa.Column("agents", sa.Text(), nullable=False, server_default="[]"))
    failed = sa.text("state IN ('dead', 'expired', 'refused')")
    op.create_index(
        "ix_deliveries_failed", "deliveries", ["id"], sqlite_where=failed, postgresql_where=failed
    )
    conn = op.get_bind()
    conn.execute(
        sa.text(
            "UPDATE participants SET open_to_secret = 0 WHERE id IN"
            " (SELECT participant_id FROM tokens WHERE participant_id IS NOT NULL)"
        )
    )
    keep_agents_of_codes(conn)


def keep_agents_of_codes(conn: sa.Connection) -> None:
    """Bind the codes that are there to the agents that their nodes have now."""
    on_nodes = (
        "SELECT id, node_id FROM participants WHERE node_id IS NOT NULL AND removed_ms IS NULL"
    )
    agents: dict[int, list[int]] = {}
    for row in conn.execute(sa.text(on_nodes)):
        agents.setdefault(row.node_id, []).append(row.id)
    for node_id, ids in agents.items():
        conn.execute(
            sa.text("UPDATE enrolments SET agents = :agents WHERE node_id = :node"),
            {"agents": json.dumps(ids), "node": node_id},
        )


def downgrade() -> None:
    raise NotImplementedError("going back is restoring the backup that `bus migrate` made")
