"""What can go wrong with a text that the control plane is to answer. No error holds a word of it, or of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.errors import NotReachable, PosternError, RefusedByPolicy

REASONS: Final = frozenset({"personal", "budget", "too_long", "failed", "not_offered"})
"""Why the control plane gives no answer, as far as this release knows; what else it says is not repeated."""

OTHER: Final = "other"


class OverflowUnreachable(NotReachable):
    """No control plane answers, this site has none, or the courier is away. Nothing was answered yet."""

    code = "overflow_unreachable"
    title = "The control plane cannot be reached for an answer"
    remedy = "Look at the link: postern status. The site answers with quotes meanwhile."


class OverflowBusy(PosternError):
    """The control plane, or the courier, takes nothing on just now."""

    code = "overflow_busy"
    title = "The control plane takes no more questions just now"
    remedy = "Try again after the time in Retry-After, or answer without it."
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class OverflowLate(PosternError):
    """No end in time."""

    code = "overflow_late"
    title = "The control plane takes too long with an answer"
    remedy = "Look at its providers' load: postern-cloud overflow show."
    status = 504


class OverflowCut(PosternError):
    """The stream ended before the answer did, or held something else than an answer."""

    code = "overflow_cut"
    title = "An answer of the control plane broke off"
    remedy = "Nothing to do if it is rare; else look at the link and at the control plane's log."
    status = 502


class OverflowDenied(PosternError):
    """The control plane gave no answer: `reason` is its short code or OTHER, `types` what it found (`personal`)."""

    code = "overflow_denied"
    title = "The control plane gave no answer"
    remedy = "See the reason: docs/operations.md has a line for each."
    status = 502

    def __init__(self, reason: str, types: Sequence[str] = (), *, retry_after_s: float | None = None) -> None:
        self.reason = reason if reason in REASONS else OTHER
        super().__init__(f"The control plane gave no answer: {self.reason}.")
        self.types = tuple(types)
        self.retry_after_s = retry_after_s


class OverflowRefused(RefusedByPolicy):
    """The courier did not send it: `reason` is its short code."""

    code = "overflow_refused"
    title = "The courier did not send a text"
    remedy = "See the reason: docs/operations.md has a line for each. The courier's log has more."

    def __init__(self, reason: str) -> None:
        super().__init__(f"The courier did not send it: {reason}.")
        self.reason = reason
