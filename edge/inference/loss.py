"""How a placement of the encoder is lost: the closed list of reasons, and what is told of a loss. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from models.errors import RuntimeUnavailable

Reason = Literal["starting", "error", "nan", "wrong", "hang", "out_of_memory", "unreachable"]
"""starting: not opened yet; wrong: an answer that is no embedding; unreachable: the worker's process is not there.
Codes in metrics and status, explained in docs/operations.md."""

_REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

_OUT_OF_MEMORY: Final = re.compile(r"bad.?alloc|out.?of.?memory|failed to allocate|RESOURCE_EXHAUSTED", re.I)
"""The words of C++, CUDA, ONNX Runtime's arenas and OpenVINO: none of them has a type of its own for it in Python."""


class PlacementFailed(RuntimeUnavailable):
    """One placement could not do its work; `reason` says in what way."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Loss:
    """The encoder runs elsewhere than asked for. `slowdown`: the same batch's seconds there over here; 0: unknown."""

    reason: Reason
    wanted: str
    device: str
    slowdown: float

    def __str__(self) -> str:
        measured = f", measured {self.slowdown:.1f} times as long" if self.slowdown else ""
        return f"{self.wanted} does not serve ({self.reason}); {self.device} does{measured}"


def reason_of(error: BaseException) -> Reason:
    """Why this error loses a placement; the runtimes' own words are in its cause."""
    if isinstance(error, PlacementFailed):
        return error.reason
    for each in (error, error.__cause__):
        if isinstance(each, MemoryError) or _OUT_OF_MEMORY.search(str(each)):
            return "out_of_memory"
    return "error"


def known_reason(code: str) -> Reason:
    """A code that came over a wire; one that is not of the list is an error like any other."""
    return next((reason for reason in _REASONS if reason == code), "error")
