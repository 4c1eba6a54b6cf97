"""What came as updates, after a restore: policies still narrow, packs are there, and what is wanted is begun anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import SitePaths, site_paths
from edge.privacy.backup import making
from edge.privacy.pushed_policies import PushedPolicies
from edge.updates import rows
from edge.updates.wanted import Update
from tests.unit.edge.egress.text.guard_rig import POLICY
from tests.unit.edge.privacy.backup.sites import ASite, back_up, opened, put_back, wanted

PACK = "lifts/1.0/lifts/north.md"


def pushed(paths: SitePaths) -> PushedPolicies:
    return PushedPolicies(paths.pushed_policies)


def give_pack(paths: SitePaths, text: str) -> None:
    (paths.packs / PACK).parent.mkdir(parents=True, exist_ok=True)
    (paths.packs / PACK).write_text(text)


async def known(paths: SitePaths) -> list[rows.UpdateRow]:
    async with opened(paths) as store:
        return await store.read(rows.listing)


@pytest.fixture
async def updated(site: ASite) -> ASite:
    """It has taken a policy and a pack over."""
    pushed(site.paths).put("quiet", POLICY)
    give_pack(site.paths, "The lift is left.")
    update = Update(kind="policy", name="quiet", version="1.0", target="policy/quiet/1.0", rollout="r")
    async with opened(site.paths) as store:
        assert await store.write(lambda db: rows.begin(db, update, 1))
    return site


async def test_another_machine_keeps_to_what_the_control_plane_narrowed(
    updated: ASite, file: Path, tmp_path: Path
) -> None:
    await back_up(updated.paths, file)
    elsewhere = site_paths(tmp_path / "elsewhere")
    done = put_back(elsewhere, wanted(updated, file))
    assert done.documents == len(list(making.files_in(updated.paths.documents)))
    assert pushed(elsewhere).text_of("quiet") == POLICY
    assert (elsewhere.packs / PACK).read_text() == "The lift is left."
    assert await known(elsewhere) == []


async def test_on_its_own_machine_what_was_narrowed_since_stays(updated: ASite, file: Path) -> None:
    await back_up(updated.paths, file)
    pushed(updated.paths).put("quiet", "")
    pushed(updated.paths).put("silent", POLICY)
    give_pack(updated.paths, "The lift is broken.")
    put_back(updated.paths, wanted(updated, file, replace=True))
    assert [path.name for path in updated.paths.pushed_policies.iterdir()] == ["silent.toml"]
    assert (updated.paths.packs / PACK).read_text() == "The lift is left."
    assert await known(updated.paths) == []
