"""The wizard offers what is published, and says of the rest why not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.console.rollout_pages import WITHDRAWN_SHOWN_MAX, RolloutPages
from cloud_sync.registry.blobs import Blobs
from cloud_sync.registry.metadata import ROOT_DAYS, TARGETS_DAYS
from cloud_sync.registry.signing_keys import KeyRing, OnlineKeys
from cloud_sync.registry.vendor import Vendor
from cloud_sync.store.registry import withdraw_artifact
from cloud_sync.store.schema import artifacts
from tests.rollout_fleet import Fleet, fleet, node_row, publish
from tests.unit.cloud_sync.console.rig import Console, console

NEW = "/rollouts/new"


@pytest.fixture
async def ten(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, "", [node_row(n) for n in range(10)]) as found:
        yield found


@pytest.fixture
def vendor(ten: Fleet, tmp_path: Path) -> Vendor:
    return Vendor(ten.database, Blobs(tmp_path / "blobs"), OnlineKeys(tmp_path / "registry.json"), ten.clock)


@pytest.fixture
async def pages(ten: Fleet, vendor: Vendor) -> AsyncIterator[Console]:
    async with console(ten, lambda shell: RolloutPages(ten.rollouts, vendor, shell).routes()) as found:
        yield found


def options(page: str) -> dict[str, str]:
    """Attributes and text of each choice, by its value."""
    found = re.findall(r'<option value="(\w[^"]*)"([^>]*)>([^<]*)<', page)
    return {value: (more + " " + text).strip() for value, more, text in found}


async def test_what_is_published_can_be_chosen_and_what_was_withdrawn_cannot(
    ten: Fleet, pages: Console
) -> None:
    def write(connection: sa.Connection) -> None:
        publish(connection, "software/postern/9.0")
        withdraw_artifact(connection, "model/encoder/3.0", ten.clock())

    await ten.database.run(write)
    page = await pages.get(NEW)
    found = options(page)
    assert set(found) == {
        "model/encoder/1.0",
        "model/encoder/2.0",
        "model/encoder/3.0",
        "software/postern/9.0",
    }
    assert found["model/encoder/2.0"] == "encoder 2.0 · published 2026-03-01 12:00 UTC"
    assert found["model/encoder/3.0"].startswith("disabled encoder 3.0")
    assert "withdrawn 2026-03-01" in found["model/encoder/3.0"]
    assert re.findall(r'<optgroup label="([^"]*)"', page) == ["Models", "Software"]
    page = await pages.get(f"{NEW}?package=model/encoder/2.0&waves=100")
    assert options(page)["model/encoder/2.0"].startswith("selected")
    assert "10 nodes in 1 wave" in page


async def test_a_choice_that_is_none_is_said_and_kept(pages: Console) -> None:
    assert "Choose a package." in await pages.get(f"{NEW}?package=", 400)
    page = await pages.get(f"{NEW}?package=model/encoder/9.9", 400)
    assert "is not published here" in page
    assert options(page)["model/encoder/9.9"].startswith("selected")


async def test_an_expired_list_is_said(ten: Fleet, vendor: Vendor, pages: Console) -> None:
    assert "is expired" not in await pages.get(NEW)  # without a registry nothing is
    await vendor.create(KeyRing(), KeyRing(), lambda: None, "ada")
    assert "signed until" not in await pages.get(NEW)
    ten.clock.pass_s(timedelta(days=TARGETS_DAYS / 2 + 1).total_seconds())
    assert "After that nodes install nothing." in await pages.get(NEW)
    ten.clock.pass_s(timedelta(days=ROOT_DAYS).total_seconds())
    page = await pages.get(NEW)
    assert "The list of packages is expired" in page
    assert options(page)["model/encoder/2.0"].endswith("· expired")


async def test_where_the_roots_are_due_their_command_is_named(
    ten: Fleet, vendor: Vendor, pages: Console
) -> None:
    targets = KeyRing()
    await vendor.create(KeyRing(), targets, lambda: None, "ada")
    # At first the list ends sooner, but was signed a moment ago; then the roots do.
    for days in (ROOT_DAYS / 2 + 1, ROOT_DAYS / 2 - 2):
        ten.clock.pass_s(timedelta(days=days).total_seconds())
        assert "registry refresh" in await pages.get(NEW)
        await vendor.refresh(targets, "ada")
        page = await pages.get(NEW)
        assert "The roots of the registry are signed until" in page
        assert "registry rotate-root" in page
        assert "registry refresh" not in page


async def test_of_many_that_were_withdrawn_the_newest_are_shown(ten: Fleet, pages: Console) -> None:
    targets = [f"model/old/{n}" for n in range(WITHDRAWN_SHOWN_MAX + 2)]

    def write(connection: sa.Connection) -> None:
        publish(connection, *targets)
        for n, target in enumerate(targets):
            withdraw_artifact(connection, target, ten.clock() + timedelta(seconds=n))

    await ten.database.run(write)
    found = options(await pages.get(NEW))
    assert {target for target in found if "/old/" in target} == set(targets[2:])
    # One that somebody asks for by its address is said to be withdrawn, however long ago.
    asked = options(await pages.get(f"{NEW}?package={targets[0]}", 400))[targets[0]]
    assert asked == f"selected {targets[0]} · withdrawn 2026-03-01 12:00 UTC"


async def test_where_nothing_is_published_there_is_no_form(ten: Fleet, pages: Console) -> None:
    await ten.database.run(lambda connection: connection.execute(artifacts.delete()))
    page = await pages.get(NEW)
    assert "Nothing is published yet" in page
    assert "Dry run" not in page
