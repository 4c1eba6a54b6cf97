"""Keys of programs: what each opens and how much it may take. Functions of the database.

A key has 256 random bits, so a plain SHA-256 of it is all that is kept: nothing that could be guessed is behind it.
Making and revoking one appends its row of audit in the same transaction.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlite_utils import Database

from core.errors import PosternError
from edge.store import audit
from edge.store.allowance import Allowance

PREFIX: Final = "pstn_"
"""Secret scanners and people see what it is."""

SECRET_BYTES: Final = 32

KEYS_MAX: Final = 200
"""A site's programs; each row is shown on one page. As many revoked ones are remembered."""

_DAY_S: Final = 86_400


class Scope(StrEnum):
    """What a key opens. Every key may list the models."""

    EMBEDDINGS = "embeddings"
    CHAT = "chat"
    INFERENCE = "inference"
    PRIVACY = "privacy"
    """Scans of texts."""
    STAFF = "staff"
    """With `chat`: answers come from documents for staff, too."""


class ApiKeyExists(PosternError):
    """The name is taken by a key that works."""

    code = "api_key_exists"
    title = "There is an API key of that name already"
    remedy = "Choose another name, or revoke that key first."
    status = 409


class NoSuchApiKey(PosternError):
    """No key that works has that name."""

    code = "no_such_api_key"
    title = "There is no API key of that name"
    remedy = "See the names: postern api-keys list."
    status = 404


class TooManyApiKeys(PosternError):
    """The site has as many keys as it may."""

    code = "too_many_api_keys"
    title = "There are too many API keys"
    remedy = f"A site has at most {KEYS_MAX}; revoke those that nothing uses."
    status = 409


@dataclass(frozen=True)
class ApiKey:
    """One key, without the secret."""

    id: int
    name: str
    scopes: frozenset[Scope]
    allowance: Allowance
    notice_version: str | None
    """Of the notice that its program shows; None for a key that asks nothing."""
    created_ms: int
    used_day: int | None
    """Days since the epoch, UTC: when it was last used is known no closer."""
    revoked_ms: int | None

    @property
    def actor(self) -> str:
        """Its program in rows of audit."""
        return f"api-key:{self.name}"


_SELECT = (
    "SELECT id, name, scopes, requests_per_minute, tokens_per_minute, concurrent_max, notice_version, created_ms, "
    "used_day, revoked_ms, key_hash FROM api_keys"
)


def new_secret() -> str:
    """A key as its program sends it; never kept."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def today() -> int:
    """Days since the epoch, UTC."""
    return int(time.time()) // _DAY_S


def add(
    db: Database,
    actor: str,
    name: str,
    key_hash: bytes,
    scopes: Iterable[Scope],
    allowance: Allowance,
    notice_version: str | None,
) -> ApiKey:
    """A new key. Raises ApiKeyExists, TooManyApiKeys."""
    names = [row[0] for row in db.execute("SELECT name FROM api_keys WHERE revoked_ms IS NULL")]
    if name in names:
        raise ApiKeyExists
    if len(names) >= KEYS_MAX:
        raise TooManyApiKeys
    limits = (allowance.requests_per_minute, allowance.tokens_per_minute, allowance.concurrent_max)
    db.execute(
        "INSERT INTO api_keys(name, key_hash, scopes, requests_per_minute, tokens_per_minute, concurrent_max, "
        "notice_version, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [name, key_hash, " ".join(sorted(scopes)), *limits, notice_version, time.time_ns() // 1_000_000],
    )
    audit.append(db, actor, "api-keys.new", name)
    return _key(db.execute(f"{_SELECT} WHERE key_hash = ?", [key_hash]).fetchone())


def revoke(db: Database, actor: str, name: str) -> int:
    """No use from now on; the key's id. Raises NoSuchApiKey."""
    row = db.execute(
        "UPDATE api_keys SET revoked_ms = ? WHERE name = ? AND revoked_ms IS NULL RETURNING id",
        [time.time_ns() // 1_000_000, name],
    ).fetchone()
    if row is None:
        raise NoSuchApiKey
    db.execute(
        "DELETE FROM api_keys WHERE revoked_ms IS NOT NULL AND id NOT IN "
        "(SELECT id FROM api_keys WHERE revoked_ms IS NOT NULL ORDER BY revoked_ms DESC, id DESC LIMIT ?)",
        [KEYS_MAX],
    )
    audit.append(db, actor, "api-keys.revoke", name)
    return int(row[0])


def listing(db: Database) -> list[ApiKey]:
    """Every key that works, then those that were revoked; the newest first."""
    rows = db.execute(f"{_SELECT} ORDER BY revoked_ms IS NOT NULL, id DESC").fetchall()
    return [_key(row) for row in rows]


def working(db: Database) -> list[tuple[bytes, ApiKey]]:
    """Hash and key of all that are not revoked."""
    rows = db.execute(f"{_SELECT} WHERE revoked_ms IS NULL").fetchall()
    return [(bytes(row[-1]), _key(row)) for row in rows]


def note_use(db: Database, key_id: int, day: int) -> None:
    """It was used on that day."""
    db.execute("UPDATE api_keys SET used_day = ? WHERE id = ?", [day, key_id])


def _key(row: tuple[Any, ...]) -> ApiKey:
    scopes = frozenset(Scope(scope) for scope in row[2].split())
    return ApiKey(row[0], row[1], scopes, Allowance(row[3], row[4], row[5]), *row[6:10])
