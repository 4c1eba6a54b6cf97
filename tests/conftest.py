"""Fixtures that several tiers share: a sample clinic prepared once, and a copy of it for each test."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge.keys import tpm
from tests import proofs
from tests.postgres import PostgresServer, postgres_server, programs
from tests.running import Customer, RunningNode, copy_site, prepare_clinic, running

# Where `make test` has the tiers share the prepared clinic of one run: to read its documents takes 20 s of a processor.
SHARED_CLINIC = "POSTERN_TEST_CLINIC"

# Sites that tests make are the same on a machine with a TPM, and leave it alone.
tpm.DEVICE = Path("/no-tpm-in-tests")  # type: ignore[misc]


def pytest_configure(config: pytest.Config) -> None:
    """Results of tests that prove something are written down where `make test` asks for it."""
    proofs.register(config)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that the tests of a run share; each makes a database of its own."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL is installed")
    with postgres_server(folder) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """Runs a test on both engines: the address of a database without rows, "" for SQLite in the folder."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.empty_tables()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_engine(request: pytest.FixtureRequest) -> str:
    """As `engine`, without tables."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def prepared_clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clinic with its documents read in; not to be run itself."""
    shared = os.environ.get(SHARED_CLINIC)
    if shared is None:
        return prepare_clinic(tmp_path_factory.mktemp("prepared"))
    folder = Path(shared)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = folder / "whole"
        if not whole.exists():
            prepare_clinic(Path(tempfile.mkdtemp(dir=folder))).parent.rename(whole)
    return whole / "clinic"


@pytest.fixture
def clinic(prepared_clinic: Path, tmp_path: Path) -> Path:
    """A clinic of the test's own, not running."""
    return copy_site(prepared_clinic, tmp_path)


@pytest.fixture(scope="module")
def node(prepared_clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A running node that the tests of a file share: leave it as it was found."""
    with running(copy_site(prepared_clinic, tmp_path_factory.mktemp("node"))) as started:
        yield started


@pytest.fixture
def own_node(clinic: Path) -> Iterator[RunningNode]:
    """A running node of the test's own, to be stopped or killed."""
    with running(clinic) as started:
        yield started


@pytest_asyncio.fixture
async def customer(node: RunningNode) -> AsyncIterator[Customer]:
    """A customer of `node` who has accepted the notice."""
    async with Customer.at(node.url) as arrived:
        yield arrived
