"""Handshakes that the gRPC ports refused. They end inside gRPC's TLS library, which tells of them in one place only:
a line on standard error with the reason and without the peer. That line is read here, and becomes a row of audit.

What is written to standard error passes through a pipe on its way; this program's own words do not, so that its last
ones are not lost with it. Several refusals with the same reason in a second are one row, counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.metrics import FleetMetrics
from core.errors import PosternError

log = logging.getLogger(__name__)

# Of a row that is written: a flood of strangers costs one transaction in this time.
WRITE_EVERY_S: Final = 1.0
# A line longer than this is passed on, and not understood.
LINE_BYTES_MAX: Final = 8192
_LINE = re.compile(rb"Handshake failed with error .*OPENSSL_internal:([A-Z0-9_]+)(?:: ([^\n]*))?")
_BY_CERTIFICATE: Final = {
    "certificate has expired": "certificate_expired",
    "certificate is not yet valid": "certificate_not_yet_valid",
    "unsupported certificate purpose": "certificate_wrong_use",
}
_BY_ERROR: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
    "WRONG_VERSION_NUMBER": "not_tls",
    "HTTP_REQUEST": "not_tls",
    "HTTPS_PROXY_REQUEST": "not_tls",
    "UNSUPPORTED_PROTOCOL": "tls_too_old",
    "BAD_SIGNATURE": "bad_signature",
}


def reason_in(line: bytes) -> str:
    """Why a handshake was refused, from a line of the library's; "" for a line that tells of none."""
    found = _LINE.search(line)
    if found is None:
        return ""
    error, detail = found[1].decode(), (found[2] or b"").decode("utf-8", "replace").strip()
    if error == "CERTIFICATE_VERIFY_FAILED":
        return _BY_CERTIFICATE.get(detail, "certificate_unknown")
    return _BY_ERROR.get(error, "handshake_failed")


class Handshakes:
    """Takes reasons from any thread, and writes them down from one event loop."""

    def __init__(self) -> None:
        self._waiting = Counter[str]()
        self._lock = threading.Lock()

    def refused(self, reason: str) -> None:
        """One more."""
        with self._lock:
            self._waiting[reason] += 1

    async def keep_writing(self, intake: Intake, metrics: FleetMetrics) -> None:
        """For as long as the control plane runs."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            for reason, times in self._taken().items():
                metrics.refused.labels(reason).inc(times)
                try:
                    await intake.refused_handshakes(reason, times)
                except PosternError as error:
                    log.error("a refusal could not be written down", extra={"code": error.code})

    def _taken(self) -> Counter[str]:
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        return waiting


def read_stderr(tell: Callable[[str], None]) -> None:
    """From now on, and for the life of the process, `tell` is called (in a thread) with each reason that is written."""
    kept = os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    threading.Thread(target=_pass_on, args=(reading, kept, tell), name="stderr", daemon=True).start()


def _pass_on(reading: int, kept: int, tell: Callable[[str], None]) -> None:
    """Whatever happens to a line, the pipe is emptied: whoever writes to a full one would stand still."""
    line = b""
    while chunk := os.read(reading, LINE_BYTES_MAX):
        _write(kept, chunk)
        *lines, line = (line + chunk).split(b"\n")
        line = line[-LINE_BYTES_MAX:]
        for reason in filter(None, map(reason_in, lines)):
            tell(reason)


def _write(kept: int, chunk: bytes) -> None:
    while chunk:
        try:
            chunk = chunk[os.write(kept, chunk) :]
        except OSError:
            return  # nobody reads standard error any more
