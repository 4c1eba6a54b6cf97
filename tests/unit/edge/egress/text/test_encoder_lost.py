"""No placement of the encoder serves: through the real line and detector no text of a customer gets past the guard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.egress.text.handover import Admitted, TextRefusal
from edge.inference.scheduler import Scheduler
from edge.privacy.scanning import Scanner
from models.detect.detector import Detector, Finding
from models.detect.tagger import Passed
from models.errors import RuntimeUnavailable
from tests.unit.edge.egress.text.guard_rig import QUESTION, guard_rig

PERSONAL = "I am Anna Miller, may I come on Saturday?"


class LostEncoder:
    """Tags through an encoder of which no placement answers."""

    complete = True

    def tag(self, _: Sequence[str]) -> list[Passed]:
        raise RuntimeUnavailable("ONNX Runtime failed on this batch.")


@pytest.mark.proves("policy")
@pytest.mark.parametrize("text", [QUESTION, PERSONAL])
async def test_without_an_encoder_no_text_leaves_and_with_one_again_it_does(
    tmp_path: Path, text: str
) -> None:
    scheduler = Scheduler(1)
    scanner = Scanner(
        scheduler, Detector("GB", LostEncoder()), waiting_max=64, wait_s_max=10.0, tokens_max=256
    )

    async def scan(texts: Sequence[str]) -> Sequence[Finding]:
        return await scanner.scan_all(texts, deadline_s=5.0)

    try:
        async with guard_rig(tmp_path) as rig:
            session = await rig.session()
            rig.scans.does = scan
            assert isinstance(await rig.ask(session, text), TextRefusal)
            rig.scans.does = None
            assert isinstance(await rig.ask(session, text), Admitted)
    finally:
        await scheduler.close()
