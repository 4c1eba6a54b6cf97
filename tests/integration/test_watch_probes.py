"""The golden questions of a watch, in a whole site: where they are embedded."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.app import open_site
from edge.config import site_paths
from edge.site_setup import create_site
from edge.update_services import probe_of
from models.encoder import LOWEST_PRIORITY, BackgroundEncoder, Encoder
from tests.integration import mill

pytestmark = [pytest.mark.models]

Run = Callable[[list[int]], None]


@pytest.mark.long
async def test_they_are_embedded_as_documents_are_and_wait_for_customers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On threads of the lowest priority, and on no lane of customers' turns."""
    paths = site_paths(tmp_path / "mill")
    create_site(paths, "empty", http_port=0)
    paths.golden_questions.write_text(mill.lines(mill.GOLDEN))
    in_background, priorities = BackgroundEncoder._run_all, set[int]()

    def seen(self: BackgroundEncoder, model: Any, run: Run, passes: list[list[int]]) -> None:
        def noted(one: list[int]) -> None:
            priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            run(one)

        in_background(self, model, noted, passes)

    def of_turns(*_: object) -> None:
        raise AssertionError("a golden question is embedded where customers' are")

    async with open_site(paths) as site:
        monkeypatch.setattr(BackgroundEncoder, "_run_all", seen)
        monkeypatch.setattr(Encoder, "_run_all", of_turns)
        assert await asyncio.to_thread(probe_of(site).begin) == 0.0  # asked, and there are no documents
    assert priorities == {LOWEST_PRIORITY}
