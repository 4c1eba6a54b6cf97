"""What a bench compares Postern with, each in a virtual environment of its own, made when first asked for.

A peer never comes into Postern's own environment: its pins would move ours. What it needs stands, pinned by hash, in
requirements/peers/NAME.txt (made by `make lock` from NAME.in).
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from tests.bench.harness import CACHE, REPOSITORY, BenchRefused, progress

REQUIREMENTS = REPOSITORY / "requirements" / "peers"
ENVIRONMENTS = CACHE / "peers"
# In an environment that is whole: the hash of what it was made from.
STAMP = ".made-from"
# In pins with torch: its build for processors, which is not on the package index itself (there it is the one for CUDA).
CPU_BUILD = "+cpu"
# llama.cpp is compiled: about a quarter of an hour on two quiet cores, thrice that on busy ones.
INSTALL_TIMEOUT_S = 3600


def peer_python(name: str) -> Path:
    """The interpreter of the peer's environment, which is made if it is missing or was made from other pins.

    Raises BenchRefused when it cannot be made, with what can be done.
    """
    pins = REQUIREMENTS / f"{name}.txt"
    if not pins.is_file():
        raise BenchRefused(f"There is no peer {name!r}: requirements/peers/{name}.txt is missing.")
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two benches at once make it once
        if not (python.exists() and _stamp(folder) == wanted):
            _make(name, folder, pins)
            (folder / STAMP).write_text(wanted)
    return python


def _stamp(folder: Path) -> str:
    path = folder / STAMP
    return path.read_text() if path.is_file() else ""


def _make(name: str, folder: Path, pins: Path) -> None:
    progress(f"[peers] installing {name} for comparison (once; what is only published as source is compiled)")
    python = folder / "bin" / "python"
    _uv(name, ["venv", "-q", "--clear", "--python", sys.executable, str(folder)])
    if CPU_BUILD in pins.read_text():
        # pip's own settings say where builds for processors lie; uv reads other ones.
        _run(name, [str(python), "-m", "ensurepip"])
        _run(name, [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(pins)])
    else:
        _uv(name, ["pip", "install", "--python", str(python), "--require-hashes", "-r", str(pins)])


def _uv(name: str, arguments: list[str]) -> None:
    _run(name, [find_uv_bin(), *arguments])


def _run(name: str, command: list[str]) -> None:
    """Run it with its own progress on stderr; stdout belongs to the bench's document."""
    try:
        done = subprocess.run(command, stdout=sys.stderr, timeout=INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise BenchRefused(f"{name} was not installed within {INSTALL_TIMEOUT_S // 60} minutes.") from None
    if done.returncode:
        raise BenchRefused(
            f"{name} cannot be installed (see above). It needs a package index and, where it is published as source "
            "only, a C++ compiler; no other bench needs it."
        )
