"""The small models that a site trains for itself: kept as numbered versions, one active of each kind, a way back.

Functions of the database, for `Store.write` and `Store.read`. What a version holds and how good it must be is its
owner's concern (intents, ranking, evidence); here it is bytes with a hash, figures and a state.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from core.signing import content_hash

# The largest are intents, which keep their examples: about 8 MB with 77 intents and 10,000 examples, three times as
# much at their limits.
CONTENT_BYTES_MAX = 24 * 1024 * 1024
# Retired versions that are kept of each kind, besides the active one.
VERSIONS_KEPT = 10


class ModelKind(StrEnum):
    """What a model is for."""

    INTENTS = "intents"
    RANKING = "ranking"
    EVIDENCE = "evidence"


class ModelState(StrEnum):
    """Where a version is in its life."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"
    REFUSED = "refused"


class NoSuchModel(PosternError):
    """A version was named that is not there, or there is none to go back to."""

    code = "no_such_model"
    title = "There is no such version of this model"
    remedy = "See the versions: `postern intents list`, or `postern learn --history`."
    status = 404


class ModelTooLarge(PosternError):
    """More weights than a site's own model may have."""

    code = "model_too_large"
    title = "The trained model is too large to be kept"
    remedy = "Train it on fewer classes."
    status = 413


@dataclass(frozen=True, slots=True)
class SiteModel:
    """One version, without its weights."""

    kind: ModelKind
    version: int
    state: ModelState
    created_ms: int
    activated_ms: int | None
    figures: Mapping[str, Any]


def add(
    db: Database, kind: ModelKind, content: bytes, figures: Mapping[str, Any], *, refused: bool = False
) -> int:
    """Keep a trained model as the next version, a candidate or refused by its gate. Raises ModelTooLarge."""
    if len(content) > CONTENT_BYTES_MAX:
        raise ModelTooLarge(f"The model has {len(content)} bytes, the limit is {CONTENT_BYTES_MAX}.")
    version = 1 + int(
        db.execute("SELECT coalesce(max(version), 0) FROM site_models WHERE kind = ?", [kind]).fetchone()[0]
    )
    state = ModelState.REFUSED if refused else ModelState.CANDIDATE
    text = json.dumps(figures, sort_keys=True)
    row = [kind, version, state, _now_ms(), text, content, content_hash(content)]
    db.execute(
        "INSERT INTO site_models(kind, version, state, created_ms, figures, content, sha256)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    _prune(db, kind)
    return version


def activate(db: Database, kind: ModelKind, version: int) -> None:
    """Make a version the one that serves; the one before is retired. Raises NoSuchModel."""
    if db.execute(*_one(kind, version)).fetchone() is None:
        raise NoSuchModel(f"There is no version {version} of {kind}.")
    db.execute("UPDATE site_models SET state = 'retired' WHERE kind = ? AND state = 'active'", [kind])
    db.execute(
        "UPDATE site_models SET state = 'active', activated_ms = ? WHERE kind = ? AND version = ?",
        [_after_last(db, kind), kind, version],
    )


def roll_back(db: Database, kind: ModelKind) -> int:
    """Activate the version that served before the active one; returns it. Raises NoSuchModel."""
    version = previous(db, kind)
    activate(db, kind, version)
    return version


def previous(db: Database, kind: ModelKind) -> int:
    """The version that served before the active one. Raises NoSuchModel."""
    row = db.execute(
        "SELECT version FROM site_models WHERE kind = ? AND state = 'retired' AND activated_ms IS NOT NULL"
        " ORDER BY activated_ms DESC LIMIT 1",
        [kind],
    ).fetchone()
    if row is None:
        raise NoSuchModel(f"No version of {kind} served before this one.")
    return int(row[0])


def deactivate(db: Database, kind: ModelKind) -> None:
    """No version of the site's own serves any more: what Postern ships does."""
    db.execute("UPDATE site_models SET state = 'retired' WHERE kind = ? AND state = 'active'", [kind])


def active(db: Database, kind: ModelKind) -> tuple[int, bytes] | None:
    """Version and weights of the active one; None when there is none. Raises NoSuchModel when it is damaged."""
    row = db.execute(
        "SELECT version, content, sha256 FROM site_models WHERE kind = ? AND state = 'active'", [kind]
    ).fetchone()
    return None if row is None else (int(row[0]), _sound(kind, *row))


def content(db: Database, kind: ModelKind, version: int) -> tuple[ModelState, bytes]:
    """State and weights of any version. Raises NoSuchModel when it is not there, or damaged."""
    row = db.execute(
        "SELECT state, version, content, sha256 FROM site_models WHERE kind = ? AND version = ?",
        [kind, version],
    ).fetchone()
    if row is None:
        raise NoSuchModel(f"There is no version {version} of {kind}.")
    return ModelState(row[0]), _sound(kind, *row[1:])


def history(db: Database, kind: ModelKind) -> list[SiteModel]:
    """All versions that are kept, newest first."""
    rows = db.execute(
        "SELECT version, state, created_ms, activated_ms, figures FROM site_models WHERE kind = ?"
        " ORDER BY version DESC",
        [kind],
    )
    return [
        SiteModel(kind, version, ModelState(state), created, activated, json.loads(figures))
        for version, state, created, activated, figures in rows
    ]


def _sound(kind: ModelKind, version: int, weights: bytes, sha256: bytes) -> bytes:
    if content_hash(bytes(weights)) != bytes(sha256):
        raise NoSuchModel(f"Version {version} of {kind} is damaged.", remedy="Train it again, or roll back.")
    return bytes(weights)


def _one(kind: ModelKind, version: int) -> tuple[str, list[object]]:
    return "SELECT 1 FROM site_models WHERE kind = ? AND version = ?", [kind, version]


def _prune(db: Database, kind: ModelKind) -> None:
    db.execute(
        "DELETE FROM site_models WHERE kind = ?1 AND state <> 'active' AND version NOT IN"
        " (SELECT version FROM site_models WHERE kind = ?1 AND state <> 'active' ORDER BY version DESC LIMIT ?2)",
        [kind, VERSIONS_KEPT],
    )


def _after_last(db: Database, kind: ModelKind) -> int:
    """Now, but later than every activation before, so that their order stands whatever the clock does."""
    last = db.execute("SELECT max(activated_ms) FROM site_models WHERE kind = ?", [kind]).fetchone()[0]
    return max(_now_ms(), (last or 0) + 1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
