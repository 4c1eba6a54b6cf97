"""A fleet that is steered: rollouts, alerts, signed metadata, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _steering()


def _steering() -> None:
    """What each node is to run, by what it is chosen, and which replica drives what."""
    # JSON's text, which every engine takes as the default of a column that is added.
    op.add_column("nodes", sa.Column("labels", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column(
        "nodes", sa.Column("steered_generation", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_table(
        "assignments",
        sa.Column("node_id", sa.Text(), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("rollout_id", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("watch_s", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.create_index("assignments_by_rollout", "assignments", ["rollout_id", "node_id"])
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
