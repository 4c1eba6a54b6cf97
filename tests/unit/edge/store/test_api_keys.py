"""Keys of programs: only a hash is kept, names are of keys that work, and every change leaves its row of audit."""

from __future__ import annotations

import sqlite3

import pytest
from sqlite_utils import Database

from edge.store import api_keys, audit, migrations
from edge.store.allowance import Allowance
from edge.store.api_keys import (
    KEYS_MAX,
    ApiKey,
    ApiKeyExists,
    NoSuchApiKey,
    Scope,
    TooManyApiKeys,
)
from edge.store.audit import AuditFilter

ALLOWANCE = Allowance(requests_per_minute=60, tokens_per_minute=1000, concurrent_max=4)


@pytest.fixture
def db() -> Database:
    opened = Database(sqlite3.connect(":memory:"))
    migrations.site.apply(opened)
    return opened


def add(db: Database, name: str, secret: str = "") -> ApiKey:
    key_hash = api_keys.hash_of(secret or api_keys.new_secret())
    return api_keys.add(db, "ada", name, key_hash, {Scope.CHAT, Scope.EMBEDDINGS}, ALLOWANCE, "notice-1")


def test_a_key_is_what_it_was_made_to_be(db: Database) -> None:
    key = add(db, "search", "pstn_secret")
    assert (key.name, key.scopes, key.allowance) == ("search", {Scope.CHAT, Scope.EMBEDDINGS}, ALLOWANCE)
    assert (key.notice_version, key.used_day, key.revoked_ms) == ("notice-1", None, None)
    assert api_keys.working(db) == [(api_keys.hash_of("pstn_secret"), key)]


def test_nowhere_is_the_key_itself(db: Database) -> None:
    secret = api_keys.new_secret()
    add(db, "search", secret)
    assert secret not in "\n".join(db.conn.iterdump())
    assert secret.startswith("pstn_")
    assert len(secret) == 48


def test_a_revoked_key_stays_in_the_list_and_frees_its_name(db: Database) -> None:
    first = add(db, "search")
    assert api_keys.revoke(db, "ada", "search") == first.id
    second = add(db, "search")
    assert [key.id for key in api_keys.listing(db)] == [second.id, first.id]
    assert [key.id for _, key in api_keys.working(db)] == [second.id]
    with pytest.raises(ApiKeyExists):
        add(db, "search")
    with pytest.raises(NoSuchApiKey):
        api_keys.revoke(db, "ada", "other")
    rows = audit.search(db, AuditFilter(action="api-keys"), 10)
    assert [(row.actor, row.action, row.object) for row in reversed(rows)] == [
        ("ada", "api-keys.new", "search"),
        ("ada", "api-keys.revoke", "search"),
        ("ada", "api-keys.new", "search"),
    ]


def test_a_site_has_so_many_keys_and_remembers_as_many_revoked_ones(db: Database) -> None:
    for number in range(KEYS_MAX):
        add(db, f"key-{number}")
    with pytest.raises(TooManyApiKeys):
        add(db, "one-more")
    for number in range(KEYS_MAX):
        api_keys.revoke(db, "ada", f"key-{number}")
    add(db, "last")
    api_keys.revoke(db, "ada", "last")
    found = api_keys.listing(db)
    assert len(found) == KEYS_MAX
    assert "key-0" not in {key.name for key in found}


def test_the_day_of_the_last_use(db: Database) -> None:
    key = add(db, "search")
    api_keys.note_use(db, key.id, 20_000)
    assert api_keys.listing(db)[0].used_day == 20_000
