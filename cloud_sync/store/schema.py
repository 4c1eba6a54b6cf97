"""The control plane's tables. Queries are in the modules beside this one; changes go through `migrations/`.

Nothing here holds text of a customer: nodes send counts, states and codes (see `records`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


class Timestamp(sa.TypeDecorator[datetime]):
    """An instant, kept as whole microseconds since 1970 UTC: the same on SQLite and PostgreSQL."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite numbers rows by itself only in a column of exactly INTEGER.
RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
metadata = sa.MetaData()

# State codes are text, so that an older release can read a newer one's rows.
nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("group_name", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # active | revoked
    # Codes by which rollouts choose nodes: {key: value}.
    sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
    # The generation of the newest change to this node alone: what it is assigned, its group, its being revoked.
    sa.Column("steered_generation", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("certificate_fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("certificate_expires", Timestamp, nullable=False),
    sa.Column("enrolled_at", Timestamp, nullable=False),
    sa.Column("revoked_at", Timestamp),
    sa.Column("first_seen", Timestamp),
    sa.Column("last_seen", Timestamp),
    # Counts the node's streams; only the newest may write.
    sa.Column("stream_generation", sa.BigInteger, nullable=False),
    # The newest of them that is known to have ended.
    sa.Column("lost_generation", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("software_version", sa.Text, nullable=False),
    # From heartbeats.
    sa.Column("queue_percent", sa.Integer),
    sa.Column("outbox_rows", sa.BigInteger),
    sa.Column("outbox_oldest_s", sa.BigInteger),
    sa.Column("fallbacks", sa.JSON, nullable=False),
    sa.Column("disk_free_percent", sa.Integer),  # in tens, rounded down
    # From reported state.
    sa.Column("models", sa.JSON, nullable=False),
    sa.Column("documents", sa.BigInteger),
    sa.Column("chunks", sa.BigInteger),
    sa.Column("devices_online", sa.BigInteger),
    sa.Column("observed_generation", sa.BigInteger),
    sa.Column("applied_generation", sa.BigInteger),
    sa.Column("rejected_field", sa.Text, nullable=False),
    sa.Column("rejected_reason", sa.Text, nullable=False),
    # Issued, and not yet shown: both certificates hold until the node connects with this one.
    sa.Column("next_certificate_fingerprint", sa.LargeBinary),
    sa.Column("next_certificate_expires", Timestamp),
)

# The watermark: the last sequence committed of each outbox. It never expires, so a row is never applied twice.
node_streams = sa.Table(
    "node_streams",
    metadata,
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("epoch", sa.LargeBinary, primary_key=True),
    sa.Column("session_generation", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
)

# Every outbox row as received, known kind or not.
records = sa.Table(
    "records",
    metadata,
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("epoch", sa.LargeBinary, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("class", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("received_at", Timestamp, nullable=False),
    sa.Column("understood", sa.Boolean, nullable=False),
)

# Rows that will never come. Only ever added to.
gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), nullable=False),
    sa.Column("epoch", sa.LargeBinary, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("outbox_class", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("found_at", Timestamp, nullable=False),
    sa.Index("gaps_by_node", "node_id", "id"),
    sa.Index("gaps_by_time", "found_at"),
)

# As text, so that the partial index below is seen to fit the queries that say the same.
TURN_CELLS = sa.text("telemetry.name LIKE 'turns.%'")
_TURN_CELLS_INDEXED = sa.text("name LIKE 'turns.%'")

# What rows of kind "telemetry.bucket" say. A value of NULL is a cell too small to show.
telemetry = sa.Table(
    "telemetry",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), nullable=False),
    sa.Column("bucket_start", Timestamp, nullable=False),
    sa.Column("bucket_seconds", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.BigInteger),
    sa.Index("telemetry_by_node", "node_id", "bucket_start"),
    # Turns of the whole fleet, which its page shows: a quarter of the rows, and nothing to fetch beside the index.
    sa.Index(
        "telemetry_turns",
        "bucket_start",
        "name",
        "value",
        sqlite_where=_TURN_CELLS_INDEXED,
        postgresql_where=_TURN_CELLS_INDEXED,
    ),
)

enrolment_codes = sa.Table(
    "enrolment_codes",
    metadata,
    sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", Timestamp, nullable=False),
    sa.Column("spent_at", Timestamp),
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id")),
    sa.Column("replaces", sa.Text),  # the node whose place it gives, instead of a new one's
)

# Only ever added to: the newest row of a scope is what is wanted now. An empty document takes back what was wanted.
desired = sa.Table(
    "desired",
    metadata,
    sa.Column("generation", RowId, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),  # group:NAME | node:ID
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("set_at", Timestamp, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Index("desired_by_scope", "scope", "generation"),
    sqlite_autoincrement=True,
)

# What a node is to run beside its document. Of one kind and name the newest generation counts; the one before stays,
# so that taking the newest back says what to return to.
assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("rollout_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("watch_s", sa.Integer, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Index("assignments_by_rollout", "rollout_id", "node_id"),
)

# A version on its way to nodes in waves; state codes are those of `fleet.rollouts.machine`.
rollouts = sa.Table(
    "rollouts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    # Why a second person must agree, as found when it was made: [{code, text}].
    sa.Column("risks", sa.JSON, nullable=False),
    sa.Column("waves", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("wave_since", Timestamp),
    sa.Column("passed_since", Timestamp),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("changed_at", Timestamp, nullable=False),
    sa.Index("rollouts_by_state", "state"),
)

# Its nodes, divided when it was made: what was approved is what happens.
rollout_nodes = sa.Table(
    "rollout_nodes",
    metadata,
    sa.Column("rollout_id", sa.Text, sa.ForeignKey("rollouts.id"), primary_key=True),
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    # The newest step that the node told of, and all that it measured, by name.
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("figures", sa.JSON, nullable=False),
    sa.Column("told_at", Timestamp),
    sa.Column("changed_at", Timestamp),
    sa.Index("rollout_nodes_by_node", "node_id"),
)

rollout_approvals = sa.Table(
    "rollout_approvals",
    metadata,
    sa.Column("rollout_id", sa.Text, sa.ForeignKey("rollouts.id"), primary_key=True),
    sa.Column("admin", sa.Text, primary_key=True),
    sa.Column("at", Timestamp, nullable=False),
)

# Which replica does what only one may do.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("expires_at", Timestamp, nullable=False),
)

# One row a topic, counted up by whoever changes what connected nodes must learn; replicas and the CLI included. The
# count is also the generation of what changed.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

# Signed files as they are served. `node_id` is empty for what all nodes get.
registry_metadata = sa.Table(
    "registry_metadata",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),  # vendor | director
    sa.Column("node_id", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),  # root | targets | snapshot | timestamp
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# What was published; the signed targets say the same of what was not withdrawn.
artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("manifest_sha256", sa.Text, nullable=False),
    sa.Column("manifest_bytes", sa.BigInteger, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("published_at", Timestamp, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("withdrawn_at", Timestamp),
)

# What providers wrote in place of nodes. Kept: a sum of a day says nothing of anybody.
overflow_uses = sa.Table(
    "overflow_uses",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),  # UTC
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("node_id", sa.Text, sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("answers", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("new_tokens", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger, nullable=False),  # millionths of the currency
)

admins = sa.Table(
    "admins",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
)

# At most one row: the first admin's claim.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="only_one_claim"), primary_key=True),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("spent_at", Timestamp),
)

web_sessions = sa.Table(
    "web_sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("admin", sa.Text, sa.ForeignKey("admins.name"), nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("expires_at", Timestamp, nullable=False),
    sa.Column("bound_to", sa.LargeBinary),  # hash of the browser that logged in
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("at", Timestamp, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    # How often within an hour, of refusals.
    sa.Column("count", sa.BigInteger, nullable=False, server_default="1"),
    sa.Index("audit_by_subject", "subject", "id"),
    sa.Index("audit_by_action", "action", "id"),
    sa.Index("audit_by_actor", "actor", "id"),
    sqlite_autoincrement=True,
)

# One row a restore.
incarnations = sa.Table(
    "incarnations",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("floor", sa.BigInteger, nullable=False),
    sa.Column("restored_at", Timestamp, nullable=False),
    sa.Column("made_at", Timestamp, nullable=False),
)

# At most one row: what is thought of the clock by which old rows go, from one look to the next.
retention_clock = sa.Table(
    "retention_clock",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="only_one_clock"), primary_key=True),
    sa.Column("trust", sa.JSON, nullable=False),  # core.clock_trust.Trust
)

# What an admin must look at, open or over. `open_key` is "KIND SUBJECT" while it is open: one alert of each.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("group_name", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("open_key", sa.Text, unique=True),
    sa.Column("opened_at", Timestamp, nullable=False),
    sa.Column("last_true_at", Timestamp, nullable=False),
    sa.Column("resolved_at", Timestamp),
    sa.Column("acknowledged_at", Timestamp),
    sa.Column("acknowledged_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("told_at", Timestamp),
    sa.Index("alerts_by_subject", "subject", "kind", "id"),
    sqlite_autoincrement=True,
)

silences = sa.Table(
    "silences",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),  # all | node:ID | group:NAME | site:NAME
    sa.Column("kind", sa.Text, nullable=False),  # empty: of every kind
    sa.Column("until", Timestamp, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("ended_at", Timestamp),
    sqlite_autoincrement=True,
)

# What is still to be told, or was given up.
webhook_messages = sa.Table(
    "webhook_messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of the message, the same at each attempt
    sa.Column("webhook", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", Timestamp),  # none: given up
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Index("webhook_messages_by_time", "next_at"),
)

# What the witness remembers of each log: the longest tree that it signed. `node_id` is empty where no nodes are known.
witnessed_logs = sa.Table(
    "witnessed_logs",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("node_id", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),  # Ed25519, 32 bytes
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("first_at", Timestamp, nullable=False),
    sa.Column("witnessed_at", Timestamp),
    sa.Column("set_aside_at", Timestamp),
    sa.Index("witnessed_logs_by_node", "node_id"),
)

# Checkpoints that a log's own key has signed and the witness has not: evidence. Kept.
witness_refusals = sa.Table(
    "witness_refusals",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("node_id", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("old_size", sa.BigInteger, nullable=False),
    sa.Column("remembered_size", sa.BigInteger, nullable=False),
    sa.Column("checkpoint", sa.LargeBinary, nullable=False),
    sa.Column("checkpoint_sha256", sa.LargeBinary, nullable=False),
    sa.Column("first_at", Timestamp, nullable=False),
    sa.Column("last_at", Timestamp, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Index("witness_refusals_by_node", "node_id", "origin"),
)
