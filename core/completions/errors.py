"""What can go wrong with a language model server. No error holds a word of a prompt or an answer."""

from __future__ import annotations

from core.errors import NotReachable, PosternError


class LlmServerUnreachable(NotReachable):
    """No connection, or not with the certificate that the settings name."""

    code = "llm_server_unreachable"
    title = "The language model server cannot be reached"
    remedy = "Look whether it runs, and whether its url and its certificate in the settings are right."


class LlmServerBusy(PosternError):
    """It said that it takes nothing on just now."""

    code = "llm_server_busy"
    title = "The language model server is very busy"
    remedy = "Try again after the time in Retry-After, or answer without it."
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class LlmServerFailed(PosternError):
    """It answered with an error, or with something that is not its protocol; `reason` is a short code."""

    code = "llm_server_failed"
    title = "The language model server gave no usable answer"
    remedy = "Look at that server's log; `postern status` and `postern-cloud overflow show` say what it answered last."
    status = 502

    def __init__(self, reason: str) -> None:
        super().__init__(f"The language model server failed: {reason}.")
        self.reason = reason


class LlmServerCut(PosternError):
    """The stream ended before the answer did."""

    code = "llm_server_cut"
    title = "The language model server stopped in the middle of an answer"
    remedy = "Ask again; if it happens often, look at that server's log."
    status = 502


class LlmServerLate(PosternError):
    """No first words, or no end, in time."""

    code = "llm_server_late"
    title = "The language model server takes too long"
    remedy = "Give it less to do, or raise the deadlines of answers in the settings."
    status = 504
