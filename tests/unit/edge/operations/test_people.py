"""`privacy.find|subject|export|consents`: whatever a person can name leads to them, and each look is one row."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from edge.operations.arguments import BadArguments
from edge.operations.people import PeopleOperations
from edge.operations.subjects import SUBJECT_CHARS_MAX
from edge.privacy.people import People
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from tests.unit.edge.privacy.people_rig import Seeded, seed

SUBJECT = "patient-0815"


@pytest_asyncio.fixture
async def seeded(store: Store) -> Seeded:
    return await seed(store, SUBJECT, "conversation-1")


async def call(store: Store, name: str, **arguments: object) -> Any:
    table = PeopleOperations(People(store, "The clinic")).table()
    return await table[f"privacy.{name}"](arguments, lambda _: None)


async def audited(store: Store) -> list[tuple[str, str, str, str]]:
    rows = await store.read(lambda db: audit.search(db, AuditFilter(), 1000))
    return [(row.actor, row.action, row.object, row.outcome) for row in reversed(rows)]


async def test_whatever_a_person_can_name_leads_to_what_they_agreed_to(store: Store, seeded: Seeded) -> None:
    label = store.digests.label(SUBJECT)
    names = (
        SUBJECT, seeded.session, f"session:{seeded.session}", seeded.ticket.lower(), f"ticket:{seeded.ticket.lower()}",
    )  # fmt: skip
    for name in names:
        found = await call(store, "consents", subject=name, actor="olga")
        assert [(one["purpose"], one["given"]) for one in found] == [("notice", True), ("overflow", False)]
    assert await audited(store) == [("olga", "privacy.consents", label, "done")] * len(names)
    assert await call(store, "consents", subject="nobody", actor="olga") == []


async def test_who_is_meant_is_found_without_a_look_at_them(store: Store, seeded: Seeded) -> None:
    assert await call(store, "find", subject=seeded.ticket) == {"subject": SUBJECT}
    assert await audited(store) == []


@pytest.mark.parametrize("name", ["subject", "export", "consents"])
@pytest.mark.parametrize("subject", ["Maria Schmidt 4711", "", " ", "x" * 65, "s" * (SUBJECT_CHARS_MAX + 1)])
async def test_a_name_that_nothing_can_be_stored_under_is_no_all_clear(
    store: Store, name: str, subject: str
) -> None:
    with pytest.raises(BadArguments) as refused:
        await call(store, name, subject=subject, actor="olga")
    assert "Maria" not in str(refused.value)
    assert await audited(store) == []


async def test_the_longest_names_are_taken(store: Store) -> None:
    for subject in ("x" * 64, f"session:{'x' * 64}"):
        assert (await call(store, "subject", subject=subject, actor="olga"))["found"] is False
