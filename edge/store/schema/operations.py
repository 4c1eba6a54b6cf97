"""Technical tables, about no person."""

from __future__ import annotations

from edge.store.schema.tags import Retention, Table, operations

OPERATIONS: dict[str, Table] = {
    "meta": Table(
        {
            "name": operations("TEXT PRIMARY KEY", "name of a setting of the store"),
            "value": operations("BLOB NOT NULL", "its value: epoch, generations"),
        },
        title="Settings of the store",
    ),
    # So that a token by which a conversation goes on at another node is taken once. Tied to nobody: the identifier that
    # the digest is of goes with the conversation.
    "continuations": Table(
        {
            "conversation": operations(
                "BLOB PRIMARY KEY", "digest of its random identifier", Retention.UNTIL_REMOVED
            ),
            "moves": operations(
                "INTEGER NOT NULL", "how often it had moved when it came here", Retention.UNTIL_REMOVED
            ),
            "expires_ms": operations(
                "INTEGER NOT NULL", "end of its whole time, retention", Retention.UNTIL_REMOVED
            ),
        },
        title="Conversations that may go on at another node",
    ),
    "updates": Table(
        {
            "id": operations("INTEGER PRIMARY KEY AUTOINCREMENT", "order", Retention.UNTIL_REMOVED),
            "rollout": operations("TEXT NOT NULL", "which rollout wants it", Retention.UNTIL_REMOVED),
            "kind": operations(
                "TEXT NOT NULL", "model, knowledge, policy or software", Retention.UNTIL_REMOVED
            ),
            "name": operations("TEXT NOT NULL", "of what is updated", Retention.UNTIL_REMOVED),
            "version": operations("TEXT NOT NULL", "of that", Retention.UNTIL_REMOVED),
            "target": operations("TEXT NOT NULL", "its name in the signed metadata", Retention.UNTIL_REMOVED),
            "watch_s": operations("INTEGER NOT NULL", "how long it is watched", Retention.UNTIL_REMOVED),
            "step": operations("TEXT NOT NULL", "where it stands", Retention.UNTIL_REMOVED),
            "tries": operations("INTEGER NOT NULL", "of this step", Retention.UNTIL_REMOVED),
            "due_ms": operations("INTEGER NOT NULL", "not carried on before", Retention.UNTIL_REMOVED),
            "reason": operations("TEXT NOT NULL", "why it failed or went back", Retention.UNTIL_REMOVED),
            "ended": operations(
                "TEXT NOT NULL", "kept, refused, returned or removed, if it did", Retention.UNTIL_REMOVED
            ),
            "manifest": operations(
                "BLOB NOT NULL", "the files it is made of, while it runs", Retention.UNTIL_REMOVED
            ),
            "staged": operations("TEXT NOT NULL", "where it lies beside what runs", Retention.UNTIL_REMOVED),
            "way_back": operations("TEXT NOT NULL", "what ran before", Retention.UNTIL_REMOVED),
            "figures": operations("TEXT NOT NULL", "what was measured and fetched", Retention.UNTIL_REMOVED),
            "baseline": operations(
                "TEXT NOT NULL",
                "sums of turns and bytes before it ran",
                Retention.UNTIL_REMOVED,
            ),
            "starts": operations(
                "INTEGER NOT NULL", "of the node while it was watched", Retention.UNTIL_REMOVED
            ),
            "activated_ms": operations("INTEGER NOT NULL", "since when it runs", Retention.UNTIL_REMOVED),
            "changed_ms": operations("INTEGER NOT NULL", "when it went on last", Retention.UNTIL_REMOVED),
        },
        constraints=("UNIQUE (rollout, kind, name, version)",),
        title="Updates from the control plane",
    ),
    "intent_counts": Table(
        {
            "day": operations("INTEGER NOT NULL", "days since the epoch, UTC", Retention.YEARS_6),
            "intent": operations(
                "TEXT NOT NULL", "what was asked for, about no single person", Retention.YEARS_6
            ),
            "count": operations("INTEGER NOT NULL", "how often; never leaves the site", Retention.YEARS_6),
        },
        constraints=("PRIMARY KEY (day, intent)",),
        title="Counts of intents",
    ),
    "daily_counts": Table(
        {
            "day": operations("INTEGER NOT NULL", "days since the epoch, UTC", Retention.DAYS_30),
            "name": operations("TEXT NOT NULL", "what is counted", Retention.DAYS_30),
            "cell": operations("TEXT NOT NULL", "route or histogram bound", Retention.DAYS_30),
            "count": operations(
                "INTEGER NOT NULL", "how many that day; for the site's own figures", Retention.DAYS_30
            ),
        },
        constraints=("PRIMARY KEY (day, name, cell)",),
        title="Counts by day",
    ),
    "counters": Table(
        {
            "bucket_s": operations("INTEGER NOT NULL", "start of the bucket", Retention.UNTIL_ACKNOWLEDGED),
            "name": operations("TEXT NOT NULL", "what is counted", Retention.UNTIL_ACKNOWLEDGED),
            "cell": operations("TEXT NOT NULL", "route or histogram bound", Retention.UNTIL_ACKNOWLEDGED),
            "count": operations(
                "INTEGER NOT NULL", "how many, about no single person", Retention.UNTIL_ACKNOWLEDGED
            ),
        },
        constraints=("PRIMARY KEY (bucket_s, name, cell)",),
        title="Counts that are not summed up yet",
    ),
    "outbox": Table(
        {
            "sequence": operations(
                "INTEGER PRIMARY KEY AUTOINCREMENT", "order of sending", Retention.UNTIL_ACKNOWLEDGED
            ),
            "class": operations("INTEGER NOT NULL", "quota class", Retention.UNTIL_ACKNOWLEDGED),
            "kind": operations("TEXT NOT NULL", "schema of the record", Retention.UNTIL_ACKNOWLEDGED),
            "payload": operations(
                "BLOB NOT NULL", "canonical JSON, no text of customers", Retention.UNTIL_ACKNOWLEDGED
            ),
            "payload_hash": operations("BLOB NOT NULL", "integrity", Retention.UNTIL_ACKNOWLEDGED),
            "created_ms": operations("INTEGER NOT NULL", "age of the outbox", Retention.UNTIL_ACKNOWLEDGED),
        },
        indexes=("CREATE INDEX outbox_by_class ON outbox(class, sequence)",),
        title="What waits for the control plane",
    ),
    "outbox_sizes": Table(
        {
            "class": operations("INTEGER PRIMARY KEY", "quota class"),
            "rows": operations("INTEGER NOT NULL", "how many wait"),
            "bytes": operations("INTEGER NOT NULL", "what they take"),
            "bytes_max": operations("INTEGER NOT NULL", "what they may take"),
        },
        title="How much waits for the control plane",
    ),
    "desired": Table(
        {
            "generation": operations("INTEGER PRIMARY KEY", "which desired state"),
            "hash": operations("BLOB NOT NULL", "integrity"),
            "document": operations("BLOB NOT NULL", "the desired state"),
            "state": operations("TEXT NOT NULL", "observed, applied or rejected"),
            "received_ms": operations("INTEGER NOT NULL", "shown to staff"),
        },
        title="What the control plane asks for",
    ),
}
