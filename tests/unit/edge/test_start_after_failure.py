"""A node whose interrupted erasures cannot be finished serves all the same, and says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edge import app, metrics


class _Reached(Exception):
    """What comes behind the erasures."""


async def test_an_erasure_that_cannot_be_finished_does_not_keep_the_node_from_its_customers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unfinished:
        async def finish(self) -> int:
            raise OSError("Stale file handle")

    class Site:
        config = paths = store = None
        erasure = Unfinished()

    def reached(_: Any) -> None:
        raise _Reached

    monkeypatch.setattr(app, "Devices", lambda *_: None)
    monkeypatch.setattr(app, "AuditLog", lambda _: type("Log", (), {"refused": None}))
    monkeypatch.setattr(app, "erasure_of", lambda _: Unfinished())
    monkeypatch.setattr(app, "site_operations", reached)
    try:
        with pytest.raises(_Reached):
            await app._serve(Site(), asyncio.Event(), 0.0)  # type: ignore[arg-type]
        assert "erasures:failed" in metrics.fallbacks()
    finally:
        metrics.recover("erasures")
