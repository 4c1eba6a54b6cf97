"""Fixtures that several tiers share: a sample clinic prepared once, and a copy of it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.running import Customer, RunningNode, copy_site, prepare_clinic, running


@pytest.fixture(scope="session")
def prepared_clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clinic with its documents read in; not to be run itself."""
    return prepare_clinic(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def clinic(prepared_clinic: Path, tmp_path: Path) -> Path:
    """A clinic of the test's own, not running."""
    return copy_site(prepared_clinic, tmp_path)


@pytest_asyncio.fixture
async def node(clinic: Path) -> AsyncIterator[RunningNode]:
    """A running node on a clinic of the test's own."""
    async with running(clinic) as started:
        yield started


@pytest_asyncio.fixture
async def customer(node: RunningNode) -> AsyncIterator[Customer]:
    """A customer of `node` who has accepted the notice."""
    async with Customer.at(node.url) as arrived:
        yield arrived
