"""How long the stages of a turn take."""

from __future__ import annotations

from time import perf_counter


class Clock:
    """Times of the stages of one turn, in seconds."""

    def __init__(self) -> None:
        self._began = self._last = perf_counter()
        self.stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.stages[stage] = now - self._last
        self._last = now

    def within(self, stage: str, part: str, seconds: float) -> None:
        """A part of a stage that was timed elsewhere is told by itself."""
        self.stages[stage] -= seconds
        self.stages[part] = seconds

    def total_s(self) -> float:
        return perf_counter() - self._began
