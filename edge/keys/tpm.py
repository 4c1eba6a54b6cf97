"""A secret that only this machine's TPM 2.0 gives out again, by way of the tpm2-tools.

The secret is sealed as a data object under a storage key that the TPM derives anew each time (TCG TPM 2.0 Library,
Part 1, "Sealed Data Objects"). It passes to and from the tools by pipes alone; what they keep in files between two
steps (contexts, wrapped objects) is of no use without this TPM and goes with its folder. On the way to the chip it is
encrypted in a session salted to the storage key, so that nobody reads it off the bus.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.keys.errors import KeysUnusable

DEVICE: Final = Path("/dev/tpmrm0")
"""Linux's own resource manager of the TPM: several programs may use it."""

NO_TPM: Final = "none"
"""In `keys.tpm_tcti`: leave the TPM alone."""

SECRET_BYTES_MAX: Final = 128
"""Of a sealed data object (MAX_SYM_DATA)."""

TIMEOUT_S: Final = 20.0
"""Of one command: a discrete TPM takes up to a second or two for each, and more while it tests itself after a start."""

SPARE_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
"""Of memory; elsewhere the system's folder of temporary files."""

_MAGIC: Final = b"postern keys/root.tpm 1\n"
_LENGTH_BYTES: Final = 2
# Only on this TPM, under this parent; without counting tries, as there is no password to guess.
_ATTRIBUTES: Final = "fixedtpm|fixedparent|userwithauth|noda"
_DETAIL_CHARS_MAX: Final = 200


class TpmUnusable(KeysUnusable):
    """The TPM is not there, does not answer, or is not the one that sealed."""

    code = "tpm_unusable"
    title = "The machine's TPM does not give the root key"
    remedy = (
        "If the machine or its TPM was replaced or cleared, bring the root key back with the recovery key: "
        "postern keys recover. If the TPM only does not answer, restart the machine."
    )


def address(tcti: str) -> str | None:
    """Where the TPM is, for the tools: as the setting `keys.tpm_tcti` says; empty: this machine's, None without one."""
    if tcti:
        return None if tcti == NO_TPM else tcti
    return f"device:{DEVICE}" if DEVICE.exists() else None


@dataclass(frozen=True)
class Tpm:
    """The TPM at an address of the tools (a TCTI): for one caller at a time where no resource manager is in between."""

    tcti: str

    def seal(self, secret: bytes) -> bytes:
        """What `unseal` needs: it tells nothing without this TPM. Raises TpmUnusable."""
        with self._steps() as steps:
            more = ("-P", f"session:{steps.session}", "-a", _ATTRIBUTES)
            steps.run(
                "create", "-C", steps.parent, *more, "-i", "-", "-u", "public", "-r", "private", given=secret
            )
            public, private = ((steps.folder / name).read_bytes() for name in ("public", "private"))
        return _MAGIC + len(public).to_bytes(_LENGTH_BYTES, "big") + public + private

    def unseal(self, blob: bytes) -> bytes:
        """The secret. Raises TpmUnusable: altered, or sealed by another TPM, or this one does not answer."""
        public, private = _parts(blob)
        with self._steps() as steps:
            (steps.folder / "public").write_bytes(public)
            (steps.folder / "private").write_bytes(private)
            steps.run("load", "-C", steps.parent, "-u", "public", "-r", "private", "-c", "sealed")
            return steps.run("unseal", "-c", "sealed", "-p", f"session:{steps.session}")

    @contextmanager
    def _steps(self) -> Iterator[_Steps]:
        """The storage key and the encrypted session, in a private folder that goes afterwards."""
        inside = SPARE_FOLDER if SPARE_FOLDER.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="postern-", dir=inside) as folder:
            steps = _Steps(Path(folder), self.tcti)
            steps.run("createprimary", "-C", "o", "-G", "ecc", "-c", steps.parent)
            steps.run("startauthsession", "--hmac-session", "-c", steps.parent, "-S", steps.session)
            try:
                encrypted = ("--enable-encrypt", "--enable-decrypt", "--enable-continuesession")
                steps.run("sessionconfig", *encrypted, steps.session)
                yield steps
            finally:
                steps.flush(steps.session)


@dataclass(frozen=True)
class _Steps:
    """Commands that pass objects on to each other by the files of one folder."""

    folder: Path
    tcti: str
    parent: str = "parent"
    session: str = "session"

    def run(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        """One command's standard output. Raises TpmUnusable."""
        output = self._run(command, *arguments, given=given)
        # Without a resource manager objects stay in the TPM, which has room for three.
        self.flush("--transient-object")
        return output

    def flush(self, what: str) -> None:
        """Let go of objects; one that another program let go of meanwhile is no fault."""
        with suppress(TpmUnusable):
            self._run("flushcontext", what)

    def _run(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(
                [f"tpm2_{command}", *arguments],
                input=given,
                capture_output=True,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "TPM2TOOLS_TCTI": self.tcti},
                timeout=TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            raise TpmUnusable("tpm2-tools are not installed.", remedy="apt-get install tpm2-tools") from None
        except subprocess.TimeoutExpired:
            raise TpmUnusable(f"The TPM did not answer within {TIMEOUT_S:.0f} s.") from None
        if done.returncode:
            raise TpmUnusable(f"tpm2_{command}: {_last_error(done.stderr)}")
        return done.stdout


def _parts(blob: bytes) -> tuple[bytes, bytes]:
    """Public and private area of the sealed object. Raises TpmUnusable."""
    rest = blob.removeprefix(_MAGIC)
    public_bytes = int.from_bytes(rest[:_LENGTH_BYTES], "big")
    public, private = rest[_LENGTH_BYTES:][:public_bytes], rest[_LENGTH_BYTES + public_bytes :]
    if not blob.startswith(_MAGIC) or not public or not private:
        raise TpmUnusable("The sealed root key is damaged, or of a later version of Postern.")
    return public, private


def _last_error(stderr: bytes) -> str:
    """What the tool itself says; it knows no secret by then."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.startswith("ERROR")]
    said = lines[-2] if len(lines) > 1 else "".join(lines) or "failed"
    return said[:_DETAIL_CHARS_MAX]
