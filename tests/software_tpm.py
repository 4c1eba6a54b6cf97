"""A software TPM 2.0 (swtpm), each with secrets of its own, for tests of what a site seals to its machine's."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.keys.tpm import Tpm

START_S_MAX = 20.0

needs_swtpm = pytest.mark.skipif(
    not shutil.which("swtpm") or not shutil.which("tpm2_unseal"),
    reason="swtpm and tpm2-tools are not installed",
)


@dataclass(frozen=True)
class SoftwareTpm:
    """A running swtpm, whose secrets are its own."""

    tpm: Tpm
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """As a chip that died."""
        self.process.kill()
        self.process.wait()


def started() -> SoftwareTpm:
    """A new TPM. Its folder is a short one: a path of a socket has an end."""
    folder = Path(tempfile.mkdtemp(prefix="swtpm-"))
    address = folder / "s"
    process = subprocess.Popen(
        f"swtpm socket --tpm2 --tpmstate dir={folder} --flags not-need-init,startup-clear "
        f"--server type=unixio,path={address} --ctrl type=unixio,path={address}.ctrl".split(),
        stderr=subprocess.DEVNULL,
    )
    give_up_at = time.monotonic() + START_S_MAX
    while not (address.exists() and Path(f"{address}.ctrl").exists()):
        assert process.poll() is None
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    return SoftwareTpm(Tpm(f"swtpm:path={address}"), process)


@contextmanager
def software_tpms() -> Iterator[Callable[[], SoftwareTpm]]:
    """Makes TPMs, and stops them at the end."""
    with ExitStack() as stack:

        def new() -> SoftwareTpm:
            made = started()
            stack.callback(shutil.rmtree, Path(made.tpm.tcti.partition("=")[2]).parent, ignore_errors=True)
            stack.callback(made.stop)
            return made

        yield new


def name_tpm(paths: SitePaths, tpm: Tpm) -> None:
    """Let the settings of a site name this TPM as its machine's."""
    text = paths.config.read_text().partition("\n[keys]")[0]
    paths.config.write_text(f'{text}\n[keys]\ntpm_tcti = "{tpm.tcti}"\n')
