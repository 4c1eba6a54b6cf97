"""A client of the repository that a test plays, a clock for the library that judges expiry, and a node's updater."""

from __future__ import annotations

import datetime as real
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tuf.api.metadata import Metadata, TargetFile

from edge.updates import steps
from edge.updates.tuf_client import TrustRefused, find
from tests.tuf_repository import TOP, Served, TufRepository
from tests.unit.edge.updates.updater_rig import Rig


@dataclass
class Client:
    """One node's view of one repository."""

    folder: Path
    repository: TufRepository
    root: bytes

    async def look(self, target: str = "missing") -> TargetFile | None:
        served = Served({"vendor": self.repository})
        return await find(self.folder, self.root, served, "vendor", target)

    async def refused(self, target: str = "missing") -> bool:
        """Whether a look is refused."""
        try:
            await self.look(target)
        except TrustRefused:
            return True
        return False

    def version(self, role: str) -> int | None:
        path = self.folder / f"{role}.json"
        return Metadata[Any].from_file(str(path)).signed.version if path.exists() else None

    def trusted(self) -> dict[str, int]:
        """Top-level role → version that is kept."""
        return {role: version for role in TOP if (version := self.version(role)) is not None}


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # Hundreds of looks, none of which has to outlive a power cut.
    monkeypatch.setattr("edge.updates.tuf_client._make_durable", lambda folder: None)


@pytest.fixture
def repository() -> TufRepository:
    return TufRepository()


@pytest.fixture
def client(repository: TufRepository, tmp_path: Path) -> Client:
    return Client(tmp_path / "vendor", repository, repository.published["root"][1])


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Turn the clock by which the library judges."""

    def turn(days: float) -> None:
        class Later(real.datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return real.datetime.now(tz) + real.timedelta(days=days)

        clock = SimpleNamespace(datetime=Later, timezone=real.timezone)
        monkeypatch.setattr("tuf.ngclient._internal.trusted_metadata_set.datetime", clock)

    return turn


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(steps, "RETRY_MS_MIN", 1)
    made = Rig(tmp_path)
    yield made
    await made.store.close()
