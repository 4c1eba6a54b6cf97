"""The second look: marks are nobody, names are somebody, and a detector that does not work lets nothing through."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from cloud_sync.overflow import rescan as rescan_module
from cloud_sync.overflow.rescan import Rescan, Unscanned, personal_types
from models.detect.detector import Detector, Finding
from models.detect.label import Label
from models.detect.spans import Span
from tests.overflow_rig import NAME, ScriptedDetector


@pytest.fixture
def detector() -> ScriptedDetector:
    return ScriptedDetector()


@pytest.fixture
def rescan(detector: ScriptedDetector) -> Iterator[Rescan]:
    found = Rescan(lambda: cast(Detector, detector))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("Where is the lift?", ()),
        ("", ()),
        (f"I am {NAME}.", ("PERSON",)),
        ("I am [PERSON_k7q2m4fx].", ()),
        (f"I am [PERSON_k7q2m4fx] and {NAME}.", ("PERSON",)),
        # A mark in the middle of a name is no hiding place.
        ("Ada[PERSON_k7q2m4fx]Lovelace", ("PERSON",)),
    ],
)
async def test_what_is_recognised(rescan: Rescan, text: str, types: tuple[str, ...]) -> None:
    await rescan.run()
    assert rescan.ready
    assert await rescan.personal(["Hello.", text]) == types


@pytest.mark.parametrize(
    ("types", "label", "told"),
    [
        ((), Label.PUBLIC, ()),
        (("LOCATION", "DATE"), Label.INTERNAL, ()),
        (("LOCATION", "EMAIL"), Label.PERSONAL, ("EMAIL", "LOCATION")),
        ((), Label.SPECIAL, ("SPECIAL",)),
        (("PERSON",), Label.SPECIAL, ("PERSON", "SPECIAL")),
    ],
)
def test_what_is_personal(types: Sequence[str], label: Label, told: tuple[str, ...]) -> None:
    spans = tuple(Span(kind, place, place + 1, 0.9) for place, kind in enumerate(types))
    assert personal_types([Finding((), Label.PUBLIC, True), Finding(spans, label, True)]) == told


async def test_before_it_is_open_nothing_goes_through(rescan: Rescan) -> None:
    assert not rescan.ready
    with pytest.raises(Unscanned):
        await rescan.personal(["Hello."])


@pytest.mark.parametrize("change", ["complete", "failing"])
async def test_a_detector_that_does_not_work_lets_nothing_through(
    rescan: Rescan, detector: ScriptedDetector, change: str
) -> None:
    await rescan.run()
    setattr(detector, change, change == "failing")
    with pytest.raises(Unscanned) as caught:
        await rescan.personal(["canary"])
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not rescan.ready


class Hanging(ScriptedDetector):
    """Scans nothing until told."""

    def __init__(self) -> None:
        super().__init__()
        self.scans, self.hold = 0, threading.Event()

    def scan(self, texts: Sequence[str]) -> list[Finding]:
        self.scans += 1
        self.hold.wait(30)
        return super().scan(texts)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    found.hold.set()


async def test_a_detector_that_hangs_is_not_waited_for(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescan = Rescan(lambda: cast(Detector, hanging))
    await rescan.run()
    monkeypatch.setattr(rescan_module, "SCAN_S_MAX", 0.05)
    for _ in range(3):  # behind the first one nothing waits
        with pytest.raises(Unscanned):
            await rescan.personal(["Hello."])
        while rescan.ready:  # the thread may have begun a moment after the wait for it
            await asyncio.sleep(0.001)
        assert rescan._thread.waiting == 0
    hanging.hold.set()
    while not rescan.ready:
        await asyncio.sleep(0.001)
    assert await rescan.personal([NAME]) == ("PERSON",)
    assert hanging.scans == 2
    rescan.close()


async def test_texts_that_nobody_waits_for_any_more_do_not_pile_up(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescan = Rescan(lambda: cast(Detector, hanging))
    await rescan.run()
    monkeypatch.setattr(rescan_module, "WAITING_MAX", 2)
    scans = [asyncio.create_task(rescan.personal(["Hello."])) for _ in range(2)]
    while not hanging.scans:
        await asyncio.sleep(0.001)
    scans.append(asyncio.create_task(rescan.personal(["Hello."])))
    await asyncio.sleep(0)
    for scan in scans:
        scan.cancel()
    await asyncio.gather(*scans, return_exceptions=True)
    assert rescan._thread.waiting == 2
    with pytest.raises(Unscanned):
        await rescan.personal(["Hello."])
    assert rescan._thread.waiting == 2
    rescan.close()
