"""When will the first text of one more answer come? Told from how the lane before the worker's model went so far. Pure.

The model writes one answer at a time (`models.generation_queue`). What an answer takes is known once one was written;
how far the one that is being written has come, from when the lane went over to it. So nobody has to have waited before
the first wait is foretold. Times are the caller's clock, seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FIRST_S_GUESS: Final = 1.0
"""Until the first text, of the small model on two idle cores with two passages: 0.3 to 1.2 s."""

_WHOLE_S_GUESS: Final = 5.0
"""Of a whole answer there."""

_WEIGHT_OF_NEWEST: Final = 0.3
"""In the running means: they remember about the last three."""


@dataclass(slots=True)
class _Job:
    program: bool
    began_at: float | None = None
    """When the lane went over to it; None until its first text has told so."""


class Lane:
    """The answers under way, and two running means: until the first text, and of a whole answer."""

    def __init__(self) -> None:
        self._first_s = _FIRST_S_GUESS
        self._whole_s = _WHOLE_S_GUESS
        self._jobs: dict[int, _Job] = {}
        self._holder: int | None = None
        """Whose turn it is: who found the lane free, or came first after the last one, programs behind others."""
        self._turn_at = 0.0
        """When the lane went over to the answer that has it now, or will be free of one that nobody wants any more."""

    def predicted_s(self, now: float) -> float:
        """Seconds until the first text of a customer's answer that is asked for now; 0 with the lane free."""
        ahead = sum(not job.program for job in self._jobs.values())
        if self._holder is not None and self._jobs[self._holder].program:
            ahead += 1  # it is not interrupted
        free_s = max(0.0, self._turn_at - now)
        if ahead:
            free_s += max(0.0, self._whole_s - max(0.0, now - self._turn_at)) + (ahead - 1) * self._whole_s
        return free_s + self._first_s if ahead or free_s else 0.0

    def join(self, number: int, now: float, *, program: bool = False) -> None:
        """One more stands in line; a program's behind every customer's."""
        if not self._jobs:
            self._turn_at, self._holder = max(self._turn_at, now), number
        self._jobs[number] = _Job(program)

    def begin(self, number: int, now: float) -> None:
        """Its first text came."""
        self._jobs[number].began_at, self._holder = self._turn_at, number
        self._first_s = _mean(self._first_s, now - self._turn_at)

    def leave(self, number: int, now: float, *, reading: bool = False) -> None:
        """It ended. `reading`: nobody wants it any more; the model may be at its prompt, which it reads to the end."""
        first, job = self._holder == number, self._jobs.pop(number)
        if first:
            self._holder = min(self._jobs, key=lambda other: self._jobs[other].program, default=None)
        if job.began_at is not None:
            self._whole_s = _mean(self._whole_s, now - job.began_at)
            self._turn_at = now
        elif reading and first and not any(other.began_at is not None for other in self._jobs.values()):
            waited_s = max(0.0, now - self._turn_at)
            if waited_s > self._first_s:
                self._first_s = _mean(self._first_s, waited_s)
            self._turn_at = max(now, self._turn_at + self._first_s)


def _mean(before: float, newest: float) -> float:
    return before + _WEIGHT_OF_NEWEST * (max(0.0, newest) - before)
