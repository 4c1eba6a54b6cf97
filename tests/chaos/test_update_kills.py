"""Updates that are cut off anywhere, in short: the bench `update` has a thousand moments and sixty kills."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench import update, way_back

POINTS = 40
KILLS = 2


@pytest.mark.skipif(shutil.which("cc") is None, reason="recording writes takes a C compiler")
def test_a_valid_model_serves_whenever_the_power_goes(tmp_path: Path) -> None:
    found = update.measure(tmp_path, POINTS, KILLS, every=POINTS)
    assert (found.points, found.kills) == (POINTS, KILLS)
    assert found.operations > POINTS
    assert found.went_on
    assert found.invalid == []
    assert found.wrong_ends == []


def test_the_oracle_sees_what_is_not_whole(tmp_path: Path) -> None:
    root = update.prepared(tmp_path / "site", 1_000)
    oracle = update.Oracle(root)
    assert oracle.serves(root / "site", root / "models") == "before"
    (root / "models" / "before" / "1.0" / "model.onnx").write_bytes(b"torn")
    assert oracle.serves(root / "site", root / "models") == ""
    (root / "models" / "before" / "current.json").unlink()
    assert oracle.serves(root / "site", root / "models") == ""


@pytest.mark.long
@pytest.mark.models
@pytest.mark.timeout(600)
async def test_a_way_back_reads_no_document_again(tmp_path: Path) -> None:
    """At an open site; the sample clinic's own passages are enough."""
    found = await way_back.measure(tmp_path, passages=0)
    assert found.vectors_kept == found.passages > 0
    assert 0 < found.encoder_s <= found.whole_s
