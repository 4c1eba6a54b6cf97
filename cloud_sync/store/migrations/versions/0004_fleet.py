"""A fleet that is steered: gaps of outboxes, rollouts, alerts, signed metadata, leases, witnessed logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _gaps()
    _renewed_certificates()
    _steering()
    _registry()
    _alerts()
    _console()
    _rollouts()
    _restores()
    _retention()
    _witness()


def _registry() -> None:
    """What nodes may install, and the signed files that say so."""
    op.create_table(
        "registry_metadata",
        sa.Column("repository", sa.Text(), primary_key=True),
        sa.Column("node_id", sa.Text(), primary_key=True),
        sa.Column("role", sa.Text(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "artifacts",
        sa.Column("target", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.Column("manifest_bytes", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger()),
    )


def _steering() -> None:
    """What each node is to run, by what it is chosen, and which replica drives what."""
    # JSON's text, which every engine takes as the default of a column that is added.
    op.add_column("nodes", sa.Column("labels", sa.JSON(), nullable=False, server_default="{}"))
    for name in ("steered_generation", "lost_generation"):
        op.add_column("nodes", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
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


def _renewed_certificates() -> None:
    op.add_column("nodes", sa.Column("next_certificate_fingerprint", sa.LargeBinary()))
    op.add_column("nodes", sa.Column("next_certificate_expires", sa.BigInteger()))
    op.add_column("enrolment_codes", sa.Column("replaces", sa.Text()))


def _alerts() -> None:
    op.add_column("nodes", sa.Column("disk_free_percent", sa.Integer()))
    op.create_index("audit_by_action", "audit", ["action", "id"])
    op.create_table(
        "alerts",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("open_key", sa.Text(), unique=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("last_true_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    op.create_index("alerts_by_subject", "alerts", ["subject", "kind", "id"])
    op.create_table(
        "silences",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text(), nullable=False),
    )
    op.create_index("webhook_messages_by_time", "webhook_messages", ["next_at"])


def _gaps() -> None:
    op.create_table(
        "gaps",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("node_id", sa.Text(), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("epoch", sa.LargeBinary(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("outbox_class", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("gaps_by_node", "gaps", ["node_id", "id"])
    op.create_index("gaps_by_time", "gaps", ["found_at"])


def _console() -> None:
    """Indexes for pages of a large fleet, and for a search in a long audit trail."""
    op.drop_index("telemetry_by_time", "telemetry")
    op.create_index("telemetry_by_node", "telemetry", ["node_id", "bucket_start"])
    turns = sa.text("name LIKE 'turns.%'")
    op.create_index(
        "telemetry_turns",
        "telemetry",
        ["bucket_start", "name", "value"],
        sqlite_where=turns,
        postgresql_where=turns,
    )
    op.create_index("audit_by_actor", "audit", ["actor", "id"])


def _rollouts() -> None:
    """Versions on their way to nodes in waves, and who agreed."""
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("risks", sa.JSON(), nullable=False),
        sa.Column("waves", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("wave_since", sa.BigInteger()),
        sa.Column("passed_since", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("rollouts_by_state", "rollouts", ["state"])
    op.create_table(
        "rollout_nodes",
        sa.Column("rollout_id", sa.Text(), sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("node_id", sa.Text(), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger()),
    )
    op.create_index("rollout_nodes_by_node", "rollout_nodes", ["node_id"])
    op.create_table(
        "rollout_approvals",
        sa.Column("rollout_id", sa.Text(), sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("admin", sa.Text(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def _retention() -> None:
    op.create_table(
        "retention_clock",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1", name="only_one_clock"), primary_key=True),
        sa.Column("trust", sa.JSON(), nullable=False),
    )


def _restores() -> None:
    op.create_table(
        "incarnations",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("restored_at", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
    )


def _witness() -> None:
    """What was signed of each node's ledger, and what was refused."""
    op.create_table(
        "witnessed_logs",
        sa.Column("origin", sa.Text(), primary_key=True),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("witnessed_at", sa.BigInteger()),
        sa.Column("set_aside_at", sa.BigInteger()),
    )
    op.create_index("witnessed_logs_by_node", "witnessed_logs", ["node_id"])
    op.create_table(
        "witness_refusals",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("old_size", sa.BigInteger(), nullable=False),
        sa.Column("remembered_size", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_index("witness_refusals_by_node", "witness_refusals", ["node_id", "origin"])
