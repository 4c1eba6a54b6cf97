"""Tables of the file of keys: what decides whether a person's data can be read at all. It is in no long backup.

A restore leaves this file as it is where the site still has it, so that what was erased stays erased.
"""

from __future__ import annotations

from edge.store.schema.tags import Column, Kind, Retention, Table, operations, session, staff


def _kept(sql: str, kind: Kind, purpose: str) -> Column:
    """As long as a backup may be older than it."""
    return Column(sql, kind, purpose, Retention.YEARS_6, exported=False)


KEYS: dict[str, Table] = {
    "subject_keys": Table(
        {
            "subject": session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "whose key", exported=False),
            "key": session("BLOB NOT NULL", Kind.OPERATIONS, "data key, 256 bit", exported=False),
            "created_ms": session("INTEGER NOT NULL", Kind.OPERATIONS, "retention", exported=False),
        },
        title="Keys of people",
    ),
    # What was erased, so that no restore brings it back. Somebody who came back may be erased again.
    "erasures": Table(
        {
            "digest": _kept("BLOB NOT NULL", Kind.PSEUDONYM, "keyed digest of whom, to replay on a restore"),
            "erased_ms": _kept("INTEGER NOT NULL", Kind.OPERATIONS, "when"),
            "receipt": _kept(
                "TEXT NOT NULL",
                Kind.OPERATIONS,
                "the receipt, JSON, unsigned until all is done; names nobody",
            ),
        },
        constraints=("PRIMARY KEY (digest, erased_ms)",),
        title="Erasures",
    ),
    # Whose data must stay, by law, until it is released.
    "holds": Table(
        {
            "subject": staff("TEXT PRIMARY KEY", "whose data must stay"),
            "reference": staff("TEXT NOT NULL", "the case that asks for it, by its number"),
            "placed_by": staff("TEXT NOT NULL", "who placed it"),
            "placed_ms": staff("INTEGER NOT NULL", "when"),
            "erasure_asked_ms": staff("INTEGER", "an erasure that waits for the release was asked for then"),
        },
        title="Holds",
    ),
    "backups": Table(
        {
            "id": operations("TEXT PRIMARY KEY", "which backup", Retention.YEARS_6),
            "made_ms": operations("INTEGER NOT NULL", "when", Retention.YEARS_6),
            "file": operations("TEXT NOT NULL", "where it was written", Retention.YEARS_6),
            "keys_file": operations(
                "TEXT NOT NULL",
                "where the keys of people beside it are, which an erasure must reach",
                Retention.YEARS_6,
            ),
            "bytes": operations("INTEGER NOT NULL", "how large", Retention.YEARS_6),
        },
        title="Backups",
    ),
}
