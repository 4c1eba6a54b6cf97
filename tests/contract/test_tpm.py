"""The root key in a TPM, against a software TPM 2.0 and the distribution's own tools: sealed, opened, lost, hung."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.config import SitePaths, site_paths
from edge.keys import KeysUnusable, SiteKeys, TpmUnusable, custody, recover, root, tpm
from edge.keys.tpm import Tpm
from edge.site_setup import create_site
from tests.software_tpm import START_S_MAX, SoftwareTpm, name_tpm, needs_swtpm, software_tpms

SECRET = bytes(range(32))

pytestmark = needs_swtpm


@pytest.fixture(scope="module")
def new_tpm() -> Iterator[Callable[[], SoftwareTpm]]:
    with software_tpms() as new:
        yield new


@pytest.fixture(scope="module")
def chip(new_tpm: Callable[[], SoftwareTpm]) -> Tpm:
    return new_tpm().tpm


@pytest.fixture(scope="module")
def blob(chip: Tpm) -> bytes:
    return chip.seal(SECRET)


def site_with(folder: Path, chip: Tpm) -> tuple[SitePaths, str]:
    """A site whose settings name the TPM, with its recovery key, which was taken away."""
    paths = site_paths(folder)
    create_site(paths, "empty")
    name_tpm(paths, chip)
    identity = paths.recovery_key.read_text()
    paths.recovery_key.unlink()
    return paths, identity


def opened(paths: SitePaths) -> tuple[bytes, bytes, str]:
    keys = SiteKeys.open(paths)
    return keys.store, keys.subjects, keys.root_in


def test_what_was_sealed_comes_back(chip: Tpm, blob: bytes) -> None:
    assert SECRET not in blob
    assert [chip.unseal(blob) for _ in range(4)] == [SECRET] * 4
    longest = bytes(tpm.SECRET_BYTES_MAX)
    assert chip.unseal(chip.seal(longest)) == longest
    with pytest.raises(TpmUnusable):
        chip.seal(longest + b"x")


def test_nothing_secret_is_left_on_the_disk_or_told_to_a_command_line(
    chip: Tpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tpm, "SPARE_FOLDER", tmp_path)
    run, seen = subprocess.run, []

    def watched(command: list[str], **how: object) -> object:
        done = run(command, **how)  # type: ignore[call-overload]
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        seen.append((command, how["env"], files))
        return done

    monkeypatch.setattr(subprocess, "run", watched)
    assert chip.unseal(chip.seal(SECRET)) == SECRET
    assert len(seen) > 8
    for command, environment, files in seen:
        assert not any(SECRET in file for file in files)
        assert SECRET not in repr((command, environment)).encode()
        assert SECRET.hex() not in repr((command, environment))
    assert not list(tmp_path.iterdir())


def test_another_tpm_opens_nothing(blob: bytes, new_tpm: Callable[[], SoftwareTpm]) -> None:
    with pytest.raises(TpmUnusable) as caught:
        new_tpm().tpm.unseal(blob)
    assert "keys recover" in caught.value.remedy


@pytest.mark.parametrize("at", [0, 23, 24, 25, 40, 80, 90, 150, -1])
def test_a_blob_that_was_altered_opens_nothing(chip: Tpm, blob: bytes, at: int) -> None:
    altered = bytearray(blob)
    altered[at] ^= 1
    with pytest.raises(TpmUnusable):
        chip.unseal(bytes(altered))


@pytest.mark.parametrize("kept", [0, 10, 24, 26, 74, 100])
def test_a_blob_that_was_cut_off_opens_nothing(chip: Tpm, blob: bytes, kept: int) -> None:
    with pytest.raises(TpmUnusable):
        chip.unseal(blob[:kept])


def test_a_busy_tpm_is_waited_for(chip: Tpm, blob: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    run, asked = subprocess.run, threading.Event()

    def watched(command: list[str], **how: object) -> object:
        asked.set()
        return run(command, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", watched)
    with ThreadPoolExecutor(1) as pool, socket.socket(socket.AF_UNIX) as other:
        other.connect(chip.tcti.partition("=")[2])  # it serves one at a time
        waiting = pool.submit(chip.unseal, blob)
        assert asked.wait(START_S_MAX)
        assert not waiting.done()
        other.close()
        assert waiting.result() == SECRET


def test_a_tpm_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpm, "TIMEOUT_S", 0.3)
    folder = tempfile.mkdtemp(prefix="hung-")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        for path in (f"{folder}/s", f"{folder}/s.ctrl"):
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(path)
            listening.listen()
        with pytest.raises(TpmUnusable, match="did not answer"):
            Tpm(f"swtpm:path={folder}/s").seal(SECRET)


def test_without_a_tpm_or_its_tools_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(TpmUnusable, match="tpm2_createprimary"):
        Tpm(f"swtpm:path={tmp_path}/nobody").seal(SECRET)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TpmUnusable, match="not installed") as caught:
        Tpm("device:/dev/null").seal(SECRET)
    assert "tpm2-tools" in caught.value.remedy


# --- a site ---


def test_the_root_key_moves_into_the_tpm_and_out_of_it(tmp_path: Path, chip: Tpm) -> None:
    paths, _ = site_with(tmp_path / "site", chip)
    root_key = (paths.keys / "root.key").read_bytes()
    store, subjects, _ = opened(paths)
    assert root.shortfall(paths, root.tpm_of(paths)) == root.NOT_SEALED
    custody.seal(paths)
    assert opened(paths) == (store, subjects, "tpm")
    assert root.shortfall(paths, root.tpm_of(paths)) == ""
    assert not any(root_key in path.read_bytes() for path in paths.root.rglob("*") if path.is_file())
    custody.rotate(paths)
    assert opened(paths) == (store, subjects, "tpm")
    custody.unseal(paths)
    assert opened(paths) == (store, subjects, "file")


def test_a_new_site_seals_at_once_where_there_is_a_tpm(
    tmp_path: Path, chip: Tpm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tpm, "address", lambda _: chip.tcti)
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    assert opened(paths)[2] == "tpm"
    assert not (paths.keys / "root.key").exists()


def test_a_copy_of_the_folder_is_of_no_use_on_another_machine(
    tmp_path: Path, chip: Tpm, new_tpm: Callable[[], SoftwareTpm]
) -> None:
    paths, _ = site_with(tmp_path / "site", chip)
    custody.seal(paths)
    copy = site_paths(tmp_path / "copy")
    shutil.copytree(paths.root, copy.root)
    name_tpm(copy, new_tpm().tpm)
    with pytest.raises(TpmUnusable):
        SiteKeys.open(copy)
    name_tpm(copy, Tpm("none"))
    with pytest.raises(TpmUnusable, match="this machine has none"):
        SiteKeys.open(copy)


def test_a_dead_tpm_is_recovered_from(tmp_path: Path, new_tpm: Callable[[], SoftwareTpm]) -> None:
    first = new_tpm()
    paths, identity = site_with(tmp_path / "site", first.tpm)
    custody.seal(paths)
    before = opened(paths)
    first.stop()
    with pytest.raises(TpmUnusable) as caught:
        SiteKeys.open(paths)
    assert "postern keys recover" in caught.value.remedy
    recover(paths, identity)  # the TPM is dead: a file, said loudly
    assert opened(paths) == (*before[:2], "file")
    name_tpm(paths, new_tpm().tpm)  # a new mainboard
    custody.seal(paths)
    assert opened(paths) == before


def test_recovery_seals_to_a_new_tpm_at_once(tmp_path: Path, new_tpm: Callable[[], SoftwareTpm]) -> None:
    first = new_tpm()
    paths, identity = site_with(tmp_path / "site", first.tpm)
    custody.seal(paths)
    before = opened(paths)
    first.stop()
    name_tpm(paths, new_tpm().tpm)
    recover(paths, identity)
    assert opened(paths) == before


def test_what_fails_leaves_the_keys_as_they_are(tmp_path: Path, chip: Tpm) -> None:
    paths, _ = site_with(tmp_path / "site", chip)
    files = {path.name: path.read_bytes() for path in paths.keys.iterdir()}
    for wrong in (Tpm("none"), Tpm(f"swtpm:path={tmp_path}/nobody")):
        name_tpm(paths, wrong)
        with pytest.raises(TpmUnusable):
            custody.seal(paths)
    assert {path.name: path.read_bytes() for path in paths.keys.iterdir()} == files
    name_tpm(paths, chip)
    (paths.keys / "site.key").write_bytes(b"")
    with pytest.raises(KeysUnusable):
        custody.seal(paths)
