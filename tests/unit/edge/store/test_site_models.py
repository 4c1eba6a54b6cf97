"""Versions of a site's own models: one active of each kind, a way back, limits, damage found."""

from __future__ import annotations

import pytest
import sqlcipher3
from sqlite_utils import Database

from edge.store import migrations, site_models
from edge.store.site_models import (
    CONTENT_BYTES_MAX,
    VERSIONS_KEPT,
    ModelKind,
    ModelState,
    ModelTooLarge,
    NoSuchModel,
)

INTENTS = ModelKind.INTENTS


@pytest.fixture
def db() -> Database:
    made = Database(sqlcipher3.connect(":memory:", isolation_level=None))
    migrations.site.apply(made)
    return made


def states(db: Database, kind: ModelKind = INTENTS) -> list[tuple[int, ModelState]]:
    return [(model.version, model.state) for model in site_models.history(db, kind)]


def test_one_is_active_and_the_one_before_comes_back(db: Database) -> None:
    for content in (b"one", b"two", b"three"):
        site_models.activate(db, INTENTS, site_models.add(db, INTENTS, content, {"accuracy": 0.9}))
    assert site_models.active(db, INTENTS) == (3, b"three")
    assert site_models.roll_back(db, INTENTS) == 2
    assert site_models.active(db, INTENTS) == (2, b"two")
    assert states(db) == [(3, ModelState.RETIRED), (2, ModelState.ACTIVE), (1, ModelState.RETIRED)]


def test_kinds_do_not_meet(db: Database) -> None:
    site_models.activate(db, INTENTS, site_models.add(db, INTENTS, b"i", {}))
    assert site_models.active(db, ModelKind.RANKING) is None
    site_models.activate(db, ModelKind.RANKING, site_models.add(db, ModelKind.RANKING, b"r", {}))
    site_models.deactivate(db, ModelKind.RANKING)
    assert site_models.active(db, ModelKind.RANKING) is None
    assert site_models.active(db, INTENTS) == (1, b"i")


def test_a_refused_or_unknown_one_is_never_gone_back_to(db: Database) -> None:
    site_models.add(db, INTENTS, b"bad", {}, refused=True)
    with pytest.raises(NoSuchModel):
        site_models.roll_back(db, INTENTS)
    with pytest.raises(NoSuchModel):
        site_models.activate(db, INTENTS, 7)
    assert site_models.active(db, INTENTS) is None


def test_damage_is_found(db: Database) -> None:
    site_models.activate(db, INTENTS, site_models.add(db, INTENTS, b"weights", {}))
    db.execute("UPDATE site_models SET content = x'00'")
    with pytest.raises(NoSuchModel):
        site_models.active(db, INTENTS)


def test_the_size_has_a_limit(db: Database) -> None:
    site_models.add(db, INTENTS, bytes(CONTENT_BYTES_MAX), {})
    with pytest.raises(ModelTooLarge):
        site_models.add(db, INTENTS, bytes(CONTENT_BYTES_MAX + 1), {})


def test_old_versions_go_and_the_active_one_stays(db: Database) -> None:
    site_models.activate(db, INTENTS, site_models.add(db, INTENTS, b"first", {}))
    for number in range(VERSIONS_KEPT + 3):
        site_models.add(db, INTENTS, str(number).encode(), {})
    assert len(states(db)) == VERSIONS_KEPT + 1
    assert site_models.active(db, INTENTS) == (1, b"first")
