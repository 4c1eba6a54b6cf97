"""Which files of a folder are taken, and which are refused with a reason."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.knowledge import files
from edge.knowledge.files import FILES_MAX, NAME_CHARS_MAX, TooManyFiles, find_files
from edge.knowledge.readers import (
    FILE_BYTES_MAX,
    Refusal,
    load,
)
from tests.unit.edge.knowledge.refusing import refused

# The user that owns nothing (Debian's `nobody`).
NOBODY = 65_534


@pytest.mark.parametrize(
    ("size", "taken"), [(FILE_BYTES_MAX - 1, True), (FILE_BYTES_MAX, True), (FILE_BYTES_MAX + 1, False)]
)
def test_bytes_of_a_file_are_limited(tmp_path: Path, size: int, taken: bool) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    os.truncate(path, size)
    if taken:
        assert len(load(path)) == size
    else:
        assert refused(lambda: load(path)) is Refusal.TOO_LARGE


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    assert refused(lambda: load(tmp_path / "a.md")) is Refusal.UNREADABLE
    (name, reason), *rest = find_files([tmp_path]).refused
    assert (name, rest) == ("a.md", [])
    assert "pipe" in reason


def test_a_link_that_came_late_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret")
    (tmp_path / "a.md").symlink_to(tmp_path / "secret.md")
    assert refused(lambda: load(tmp_path / "a.md")) is Refusal.UNREADABLE


def test_links_out_of_the_folder_are_refused_and_those_within_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "keys.md").write_text("# Keys")
    folder = tmp_path / "documents"
    (folder / "fees").mkdir(parents=True)
    (folder / "fees" / "a.md").write_text("# A")
    (folder / "out.md").symlink_to(tmp_path / "secret" / "keys.md")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "up.md").symlink_to("../secret/keys.md")
    (folder / "broken.md").symlink_to("nowhere.md")
    (folder / "again").symlink_to("fees")
    (folder / "b.md").symlink_to("fees/a.md")
    found = find_files([folder])
    assert list(found.files) == ["b.md", "fees/a.md"]
    assert {file.path for file in found.files.values()} == {folder / "fees" / "a.md"}
    assert {name for name, _ in found.refused} == {"out.md", "outside", "up.md", "broken.md"}


def test_a_link_that_is_named_itself_is_followed_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    (tmp_path / "b.md").symlink_to("a.md")
    (file,) = find_files([tmp_path / "b.md"]).files.values()
    assert (file.name, load(file.path)) == ("b.md", b"# A")


def test_names_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    (tmp_path / "good ünïcode.md").write_text("# A")
    (tmp_path / "line\nbreak.md").write_text("# A")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("# A")
    found = find_files([tmp_path])
    assert list(found.files) == ["good ünïcode.md"]
    assert {name for name, _ in found.refused} == {"line\ufffdbreak.md", "caf\ufffd.md"}


@pytest.mark.parametrize(
    ("length", "taken"), [(NAME_CHARS_MAX - 1, True), (NAME_CHARS_MAX, True), (NAME_CHARS_MAX + 1, False)]
)
def test_length_of_a_name_is_limited(tmp_path: Path, length: int, taken: bool) -> None:
    name = f"{'d' * 150}/{'f' * (length - 151)}"
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("x")
    found = find_files([tmp_path])
    assert (list(found.files) == [name]) is taken
    assert len(found.refused) == (0 if taken else 1)


def test_number_of_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FILES_MAX >= 3 * 16_407
    monkeypatch.setattr(files, "FILES_MAX", 3)
    for number in range(3):
        (tmp_path / f"{number}.md").write_text("x")
        assert len(find_files([tmp_path]).files) == number + 1
    (tmp_path / "3.md").write_text("x")
    with pytest.raises(TooManyFiles):
        find_files([tmp_path])


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; while this holds it is nobody. Anybody else stays who they are."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_is_reported() -> None:
    with tempfile.TemporaryDirectory() as name:  # in a place that everybody may enter, unlike `tmp_path`
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.md").write_text("# A")
        (folder / "a.md").chmod(0)
        (folder / "closed").mkdir(mode=0)
        with as_nobody():
            assert refused(lambda: load(folder / "a.md")) is Refusal.UNREADABLE
            found = find_files([folder])
        assert [closed for closed, _ in found.refused] == ["closed"]
        assert found.folders == {str(folder): None}
