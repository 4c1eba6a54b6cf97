"""What several of these tests kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import RunningNode, running, with_port


@pytest.fixture
def kept_node(clinic: Path) -> Iterator[RunningNode]:
    """A running node of the test's own, at a port that stays, over restarts of the node, too."""
    with_port(clinic)
    with running(clinic) as started:
        yield started
