"""The environments of what benches compare with: made once, made again when their pins change, refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import peers
from tests.bench.harness import BenchRefused


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(peers, "REQUIREMENTS", tmp_path / "requirements")
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path / "environments")
    (tmp_path / "requirements").mkdir()
    return tmp_path


def test_an_environment_is_made_once_and_again_for_other_pins(folders: Path) -> None:
    pins = folders / "requirements" / "empty.txt"
    pins.write_text("# nothing\n")
    python = peers.peer_python("empty")
    mark = python.parent / "mark"
    mark.touch()
    assert peers.peer_python("empty") == python
    assert mark.exists()
    pins.write_text("# nothing, but otherwise\n")
    peers.peer_python("empty")
    assert python.exists()
    assert not mark.exists()


def test_pins_without_hashes_are_refused_in_words(folders: Path) -> None:
    (folders / "requirements" / "loose.txt").write_text("example==1.0\n")
    with pytest.raises(BenchRefused, match="loose cannot be installed"):
        peers.peer_python("loose")
    with pytest.raises(BenchRefused):  # what failed left no stamp
        peers.peer_python("loose")


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(BenchRefused, match="no peer 'nobody'"):
        peers.peer_python("nobody")
