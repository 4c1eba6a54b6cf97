"""A restore that is killed anywhere leaves the old site or the new one, whole, and the next one goes through."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.edge.privacy.backup.sites import ASite, back_up


@pytest.mark.proves("backup")
@pytest.mark.parametrize("stride", [41, pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
async def test_old_or_new_and_never_a_mixture(stride: int, site: ASite, tmp_path: Path) -> None:
    settings = site.paths.config.read_text()
    site.paths.config.write_text(f"# restored\n{settings}")
    await back_up(site.paths, tmp_path / "monday.age")
    site.paths.config.write_text(settings)
    (tmp_path / "recovery-key").write_text(str(site.identity))
    command = [sys.executable, "-m", "tests.unit.edge.privacy.backup.kills", str(tmp_path), str(stride)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert {kill["after"] for kill in seen} <= {"old", "new"}
    assert {kill["again"] for kill in seen} == {"new"}
    assert not any(kill["left"] for kill in seen)
    assert seen[0]["after"] == "old"
    assert seen[-1]["touch"] > 60
    if stride == 1:
        assert {kill["after"] for kill in seen} == {"old", "new"}
