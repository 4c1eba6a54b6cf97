"""The base of every error that Postern raises on purpose.

An error says what happened (`detail`) and what to do (`remedy`). It never carries customer text: these
strings reach logs, terminals and HTTP bodies. Subclasses set the class attributes; RFC 9457 gives the HTTP form.
"""

from __future__ import annotations

import math
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses of both command lines (part of the contract)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHECK_FAILED = 3
    NOT_REACHABLE = 4
    REFUSED = 5
    NOT_KNOWN = 6


class PosternError(Exception):
    """Something failed that a person can do something about."""

    code: str = "internal_error"
    title: str = "Something went wrong"
    remedy: str = "Look at the node's log for the time of the error."
    status: int = 500
    # Seconds after which trying again makes sense; every 429 and 503 has it.
    retry_after_s: float | None = None
    exit_code: ExitCode = ExitCode.FAILED
    # Whether a row of audit tells of it already: whoever let the caller in then writes none.
    written_down: bool = False

    def __init__(self, detail: str = "", *, remedy: str | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        if remedy is not None:
            self.remedy = remedy

    def problem(self) -> dict[str, object]:
        """The error as an RFC 9457 problem document, with when to try again: a stream has no header for it."""
        retry = {} if self.retry_after_s is None else {"retry_after_s": math.ceil(self.retry_after_s)}
        return {
            "type": "about:blank",
            "status": self.status,
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "remedy": self.remedy,
            **retry,
        }


class ConfigError(PosternError):
    """A configuration file or argument cannot be used as it is."""

    code = "bad_configuration"
    title = "The configuration cannot be used"
    remedy = "Correct the named setting and start again."
    status = 500
    exit_code = ExitCode.USAGE


class BadArgument(ConfigError):
    """What a command was given does not fit it."""

    code = "bad_argument"
    title = "The command cannot be carried out as it was given"
    remedy = "See `--help` of the command."


class CannotRead(PosternError):
    """A file that a command needs is not there, or not for this account."""

    code = "cannot_read"
    title = "What is asked for cannot be read"
    remedy = "Look at the path, and run the command as root or as the account whose file it is."
    exit_code = ExitCode.USAGE


class CannotWrite(PosternError):
    """A command's result cannot be written where it was asked for."""

    code = "cannot_write"
    title = "The result cannot be written"
    remedy = (
        "Name a file in a folder that you may write to, on a disk that has room, and run the command again."
    )


class NotReachable(PosternError):
    """The other side does not answer."""

    code = "not_reachable"
    title = "Not reachable"
    remedy = "Check that it is running and that the address is right."
    status = 503
    retry_after_s = 5
    exit_code = ExitCode.NOT_REACHABLE


class RefusedByPolicy(PosternError):
    """The site's policy does not permit this."""

    code = "refused_by_policy"
    title = "Refused by the site's policy"
    remedy = "Ask whoever owns the site's policy."
    status = 403
    exit_code = ExitCode.REFUSED
