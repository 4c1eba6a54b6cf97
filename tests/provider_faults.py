"""Every fault that one upstream can have, by where it strikes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What is wrong. Those of the stream strike after `after` words: 0 is before the first."""

    NONE = "none"
    # Of the connection.
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """No answer to the first packet: a connect time-out."""
    WRONG_CERTIFICATE = "wrong_certificate"
    """TLS with the certificate of another authority; of a server without TLS, bytes that are no HTTP."""
    NOT_TLS = "not_tls"
    """Plain text where TLS is expected; of a server without TLS, the bytes of a TLS alert."""
    # Of the head.
    MUTE = "mute"
    """The request is read, and nothing said."""
    BUSY = "busy"
    """429 with Retry-After."""
    BUSY_503 = "busy_503"
    """503 with Retry-After."""
    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_503 = "error_503"
    UNAUTHORISED = "unauthorised"
    REDIRECT = "redirect"
    NO_STREAM = "no_stream"
    """A whole answer in JSON instead of a stream."""
    NOT_HTTP = "not_http"
    # Of the stream.
    CUT = "cut"
    """The connection is reset."""
    NO_END = "no_end"
    """The stream ends in good order and never said that the answer is finished."""
    STALL = "stall"
    """Nothing more comes until `hold` is set; before the first word: a slow first token."""
    NO_JSON = "no_json"
    BAD_SSE = "bad_sse"
    """A line that is no field of an event stream, then an event that is JSON but no chunk."""
    ERROR_EVENT = "error_event"
    LONG_LINE = "long_line"
    TOO_LONG = "too_long"
    """Words without end."""
    CONTENT_FILTER = "content_filter"
    EMPTY = "empty"
    """Finished in good order, without a word (after none) or with no more."""


OF_THE_CONNECTION: Final = (Fault.REFUSED, Fault.UNANSWERED, Fault.WRONG_CERTIFICATE, Fault.NOT_TLS)
OF_THE_HEAD: Final = (
    Fault.MUTE,
    Fault.BUSY,
    Fault.BUSY_503,
    Fault.ERROR_500,
    Fault.ERROR_502,
    Fault.ERROR_503,
    Fault.UNAUTHORISED,
    Fault.REDIRECT,
    Fault.NO_STREAM,
    Fault.NOT_HTTP,
)
OF_THE_STREAM: Final = (
    Fault.CUT,
    Fault.NO_END,
    Fault.STALL,
    Fault.NO_JSON,
    Fault.BAD_SSE,
    Fault.ERROR_EVENT,
    Fault.LONG_LINE,
    Fault.TOO_LONG,
    Fault.CONTENT_FILTER,
)
