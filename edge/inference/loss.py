"""How a placement of the encoder is lost: the closed list of reasons, and what people are told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args

from models.errors import RuntimeUnavailable
from models.placement import Shortfall

Reason = Literal["starting", "error", "nan", "wrong", "hang", "out_of_memory", "unreachable"]
"""starting: not opened yet; wrong: an answer that is no embedding; unreachable: the worker's process is not there.
Codes in metrics and status, explained in docs/operations.md."""

_REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

_NO_VECTORS: Final = "Update the device's driver; if it lasts, set models.device to cpu."

_TOLD: Final[Mapping[Reason, tuple[str, str]]] = {
    "starting": ("{} is being opened", "Wait: it takes seconds, with TensorRT minutes the first time."),
    "error": (
        "{} failed, or cannot be opened",
        "Look for the reason in the worker's log, then run `postern models tune`.",
    ),
    "nan": ("{} answered with numbers that are none", _NO_VECTORS),
    "wrong": ("{} answered with vectors that are not the model's", _NO_VECTORS),
    "hang": (
        "{} gave no answer in time",
        "The worker is started afresh and the device tried again; if it lasts, update the driver.",
    ),
    "out_of_memory": (
        "The memory of {} is full",
        "See what else uses the device; a smaller language model may do.",
    ),
    "unreachable": (
        "The worker's process, through which {} is used, is not there",
        "It is started again by itself; if it lasts, look at the worker's log.",
    ),
}
"""What happened, to a device, and what to do."""

_OUT_OF_MEMORY: Final = re.compile(r"bad.?alloc|out.?of.?memory|failed to allocate|RESOURCE_EXHAUSTED", re.I)
"""The words of C++, CUDA, ONNX Runtime's arenas and OpenVINO: none of them has a type of its own for it in Python."""


class PlacementFailed(RuntimeUnavailable):
    """One placement could not do its work; `reason` says in what way."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def told(reason: Reason, wanted: str, serving: str, slowdown: float) -> Shortfall:
    """A loss in words. `slowdown`: seconds of the same batch on `serving` over those on `wanted`; 0: not known."""
    happened, remedy = _TOLD[reason]
    detail = f"{happened.format(wanted)}; {serving} serves."
    return Shortfall(wanted.lower(), reason, detail, remedy, slowdown)


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
