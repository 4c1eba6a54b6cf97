"""`postern restore` as the pages say to type it: from the folder in which both files lie."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edge.commands import backup as commands
from edge.config import SitePaths, site_paths
from edge.privacy.backup import rows
from edge.privacy.backup.keys_file import beside
from edge.privacy.backup.rows import Made
from tests.unit.edge.privacy.backup.conftest import BackedUp
from tests.unit.edge.privacy.backup.sites import ANNA, ASite, erase, opened
from tests.unit.edge.privacy.backup.test_keys_file import known


@pytest.mark.proves("erasure")
@pytest.mark.parametrize("named", [False, True])
def test_an_erasure_reaches_the_keys_of_a_backup_that_was_named_from_where_it_lies(
    named: bool,
    backed_up: BackedUp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site, file, key = backed_up.site, backed_up.file, tmp_path / "key"
    key.write_text(f"{site.identity}\n")
    monkeypatch.chdir(file.parent)
    keys = Path("monday.age.keys") if named else None
    commands.restore(tmp_path / "new", Path("monday.age"), keys, key, replace=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["people"] == "file"
    monkeypatch.chdir(tmp_path)
    new = ASite(site_paths(tmp_path / "new"), site.identity)
    assert beside(file) in [made.keys_file for made in asyncio.run(_listed(new.paths))]
    asyncio.run(erase(new.paths, ANNA))
    assert ANNA not in known(beside(file), new)


async def _listed(paths: SitePaths) -> list[Made]:
    async with opened(paths) as store:
        return await store.read_keys(rows.listing)
