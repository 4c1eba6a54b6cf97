"""Steps from an empty file to today's schema; each runs once, in a transaction of its own.

A step that has been released never changes: its SQL is beside it, frozen. A test holds the end result against
`schema.TABLES`, which say what each column is for.
"""

from __future__ import annotations

import secrets
from importlib.resources import files

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

EPOCH_BYTES = 16
_SQL = files("edge.store") / "sql"

site = Migrations("postern.site")
keys = Migrations("postern.keys")


@site(name="0001_first_schema")
def first_schema(db: Database) -> None:
    """All tables of the first release, and the epoch under which this store's outbox counts."""
    _run(db, "site_0001_first_schema.sql")
    db.execute("INSERT INTO meta(name, value) VALUES ('epoch', ?)", [secrets.token_bytes(EPOCH_BYTES)])


@site(name="0002_front_desk")
def front_desk(db: Database) -> None:
    """Staff: documents' lifecycle, tickets with messages, unanswered questions, operators, audit, trained models."""
    _run(db, "site_0002_front_desk.sql")


@site(name="0003_document_folder")
def document_folder(db: Database) -> None:
    """Which folder a document was added from."""
    _run(db, "site_0003_document_folder.sql")


@site(name="0004_daily_counts")
def daily_counts(db: Database) -> None:
    """Counts of a day, which stay at the site after the buckets have gone up."""
    _run(db, "site_0004_daily_counts.sql")


@site(name="0005_differences")
def differences(db: Database) -> None:
    """Documents that say different things, for staff to put right."""
    _run(db, "site_0005_differences.sql")


@site(name="0006_api_keys")
def api_keys(db: Database) -> None:
    """Keys of programs."""
    _run(db, "site_0006_api_keys.sql")


@site(name="0007_lan_uses")
def lan_uses(db: Database) -> None:
    """What was handed to servers of the site's own network."""
    _run(db, "site_0007_lan_uses.sql")


@site(name="0008_pseudonyms")
def pseudonyms(db: Database) -> None:
    """Which value each token of a conversation stands for."""
    _run(db, "site_0008_pseudonyms.sql")


@site(name="0009_text_uses")
def text_uses(db: Database) -> None:
    """What the text guard let out, for its budgets."""
    _run(db, "site_0009_text_uses.sql")


@site(name="0010_keep_and_forget")
def keep_and_forget(db: Database) -> None:
    """Consents and the notices they refer to, whose a ticket is, conversations on hold, two halves of a password."""
    _run(db, "site_0010_keep_and_forget.sql")


@site(name="0011_continuations")
def continuations(db: Database) -> None:
    """How often conversations have moved between the site's nodes, so that a token is taken once."""
    _run(db, "site_0011_continuations.sql")


@site(name="0012_outbox_quotas")
def outbox_quotas(db: Database) -> None:
    """How much of each class waits for the control plane, and may."""
    _run(db, "site_0012_outbox_quotas.sql")


@site(name="0013_updates")
def updates(db: Database) -> None:
    """What the control plane wants this node to run, and how far that is."""
    _run(db, "site_0013_updates.sql")


@site(name="0014_vectors_before")
def vectors_before(db: Database) -> None:
    """Passages' vectors by the encoder that served before, for the way back to it."""
    _run(db, "site_0014_vectors_before.sql")


@site(name="0015_text_envelopes")
def text_envelopes(db: Database) -> None:
    """By which leaves of the ledger a text left, for a conversation's receipt, and what opens its hash there."""
    _run(db, "site_0015_text_envelopes.sql")


@keys(name="0001_first_schema")
def first_key_schema(db: Database) -> None:
    """The table of subjects' data keys."""
    _run(db, "keys_0001_first_schema.sql")


@keys(name="0002_keep_and_forget")
def keep_and_forget_keys(db: Database) -> None:
    """What was erased, what is on hold, and which backups were made."""
    _run(db, "keys_0002_keep_and_forget.sql")


def later_steps(db: Database) -> set[str]:
    """Steps of the site's file that a later release has taken, and this one does not know."""
    empty = Database(memory=True)
    ours = {step.name for step in site.pending(empty)}
    empty.close()
    return {step.name for step in site.applied(db)} - ours


def _run(db: Database, name: str) -> None:
    """Every statement of a file, one a line, inside the migration's transaction."""
    for statement in (_SQL / name).read_text(encoding="utf-8").splitlines():
        if statement and not statement.startswith("--"):
            db.execute(statement)
