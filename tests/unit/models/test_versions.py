"""A full disk, a kill: whatever happens half-way, the version before is whole and serves."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models import importing, records, versions
from models.errors import ModelDiskFull, ModelError
from models.importing import import_model
from tests.unit.models.small_model import NAME, serves, small_folder, version_head


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


STEPS: list[tuple[object, str, int]] = [
    *((importing, "_copy", nth) for nth in range(3)),
    (importing, "write_record", 0),
    (records, "write_atomic", 1),
    (importing, "activate", 0),
    (versions, "write_atomic", 0),
]


def _break(where: object, name: str, nth: int, act: Callable[[], None]) -> Callable[..., object]:
    """`name`, but its call number `nth` does `act`."""
    real = getattr(where, name)
    calls = 0

    def broken(*arguments: object, **named: object) -> object:
        nonlocal calls
        if calls == nth:
            act()
        calls += 1
        return real(*arguments, **named)

    return broken


def _full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("where", "name", "nth"), STEPS)
def test_a_disk_that_fills_half_way_leaves_the_old_one_whole(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, where: object, name: str, nth: int
) -> None:
    import_model(small_folder(tmp_path / "one"), models)
    before, files = serves(models), _files(models)
    two = small_folder(tmp_path / "two", seed=2, head=version_head(2))
    with monkeypatch.context() as patch:
        patch.setattr(where, name, _break(where, name, nth, _full))
        with pytest.raises(ModelDiskFull):
            import_model(two, models)
    assert serves(models) == before
    assert _files(models) == files
    import_model(two, models)
    assert serves(models) != before


def _files(models: Path) -> dict[str, int]:
    """What is there, less what a runtime keeps for itself."""
    return {str(path): path.stat().st_size for path in models.rglob("*") if path.is_file()}


def _child(what: str, brought: Path, models: Path) -> subprocess.CompletedProcess[str]:
    code = f"from tests.unit.models.test_versions import {what} as act; import sys; act(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(brought), str(models)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def import_with_little_room(brought: str, models: str) -> None:
    """In a child: no file may grow past 1 kB, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    try:
        import_model(Path(brought), Path(models))
    except ModelError as error:
        print(error.code)


def import_and_die(brought: str, models: str) -> None:
    """In a child: killed as it is about to change the pointer."""
    versions.write_atomic = _break(versions, "write_atomic", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))  # type: ignore[assignment]
    import_model(Path(brought), Path(models))


def test_a_file_that_cannot_grow(tmp_path: Path, models: Path) -> None:
    import_model(small_folder(tmp_path / "one"), models)
    before, files = serves(models), _files(models)
    ended = _child(
        "import_with_little_room", small_folder(tmp_path / "two", seed=2, head=version_head(2)), models
    )
    assert ended.stdout.strip() == ModelDiskFull.code, ended.stderr
    assert (serves(models), _files(models)) == (before, files)


def test_killed_half_way(tmp_path: Path, models: Path) -> None:
    import_model(small_folder(tmp_path / "one"), models)
    before = serves(models)
    two = small_folder(tmp_path / "two", seed=2, head=version_head(2))
    assert _child("import_and_die", two, models).returncode == -signal.SIGKILL
    assert serves(models) == before
    assert len(list((models / NAME).iterdir())) == 3  # the pointer, the old one, and what the kill left
    import_model(two, models)
    assert serves(models) != before
    assert len(list((models / NAME).iterdir())) == 3  # the pointer, the new one, the old one
