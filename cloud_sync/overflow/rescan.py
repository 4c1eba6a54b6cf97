"""What nodes send is scanned once more: a text that names somebody should not have left its site, and goes no further.

The marks in the place of values are no personal data. Fails closed: without a working detector nothing is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from core.errors import PosternError
from models.daemon_thread import DaemonThread
from models.detect.detector import Detector, Finding
from models.detect.label import Label
from models.detect.marks import without_marks

log = logging.getLogger(__name__)

SCAN_S_MAX: Final = 2.0
"""A question takes milliseconds; past this the detector hangs, or the machine is overloaded."""

WAITING_MAX: Final = 256
"""Texts before a scan, of 64 KB at most each, so 16 MB; a second's worth. Those that nobody waits for count."""

OPEN_AGAIN_S: Final = 60.0
"""After the detector could not be opened: an encoder that was not built is noticed, and the disk has peace."""

SPECIAL: Final = "SPECIAL"
"""Among the types: GDPR Art. 9, which is no value in the text but what it is about."""


class Unscanned(PosternError):
    """The detector could not look at the text."""

    code = "overflow_unscanned"
    title = "The control plane could not scan the text"
    remedy = "See the control plane's log; `postern models build` makes the encoder that the detector reads."
    status = 503


class Rescan:
    """One scan at a time, in a thread. Used from one event loop."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        self._open = open_detector
        self._thread = DaemonThread("rescan")
        self._detector: Detector | None = None

    @property
    def ready(self) -> bool:
        """Whether texts are scanned, names and all."""
        detector = self._detector
        return detector is not None and detector.complete and not detector.failing and not self.hangs

    @property
    def hangs(self) -> bool:
        """Whether a native call, which nobody can interrupt, should have returned."""
        return self._thread.running_s > SCAN_S_MAX

    async def run(self) -> None:
        """Open the detector before anybody asks; ends once it is open."""
        while self._detector is None:
            try:
                self._detector = await asyncio.get_running_loop().run_in_executor(self._thread, self._opened)
            except PosternError as error:
                log.error("what nodes send cannot be scanned", extra={"code": error.code})
                await asyncio.sleep(OPEN_AGAIN_S)

    async def personal(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The types that were recognised in what customers said, sorted; empty: it may go on. Raises Unscanned."""
        detector = self._detector
        if detector is None:
            raise Unscanned("The detector is not open.")
        if self.hangs or self._thread.waiting >= WAITING_MAX:  # in line behind it, texts would pile up
            raise Unscanned("The detector hangs, or too much waits for it.")
        left = [without_marks(text) for text in texts if text.strip()]
        scan = asyncio.get_running_loop().run_in_executor(self._thread, detector.scan, left)
        try:
            async with asyncio.timeout(SCAN_S_MAX):
                findings = await scan
        except TimeoutError:
            raise Unscanned("The scan was not done in time.") from None
        except Exception as error:  # its message may quote what it choked on
            raise Unscanned(f"The detector failed ({type(error).__name__}).") from None
        if not all(finding.complete for finding in findings):
            raise Unscanned("Names were not looked for.")
        return personal_types(findings)

    def close(self) -> None:
        """Take no more scans."""
        self._thread.shutdown(cancel_futures=True)

    def _opened(self) -> Detector:
        detector = self._open()
        detector.warm()
        return detector


def personal_types(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What makes texts personal or worse; types that name nobody by themselves do not. Pure."""
    found = {kind for finding in findings if finding.label >= Label.PERSONAL for kind in finding.types}
    special = {SPECIAL} if any(finding.label is Label.SPECIAL for finding in findings) else set()
    return tuple(sorted(found | special))
