"""How much of what the kernel counted the ledger explains, and how much its framing may: stated and measured. Pure.

The verifier (edge/egress/verify.py) says the same once more, in words of its own, from what stands in the leaf and the
tree: whoever holds an export need not believe the courier. ADR 70 has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.egress.reconciliation.own_traffic import Own

MINUTE_MS: Final = 60_000
MINUTES_MAX: Final = 11
"""Of a comparison count for the framing: what is longer was mostly without a courier. Ten quiet ones are one leaf."""

# Bytes of TCP's content, TLS included: headers of IP and TCP need no allowance, for the kernel counts them.
MINUTE_BYTES: Final = 1_000
"""Pings and answers to them, of at most six channels: 39 bytes each, two a minute and channel, of either side (936)."""
ATTEMPT_BYTES: Final = 1_000
"""A plain connection has no content (measured). Names: two look-ups of up to 100 bytes, which a resolver that is silent
makes four of each; a proxy's CONNECT with a login: 250."""
CONNECTION_BYTES: Final = 4_000
"""A handshake with a client's certificate and the settings of HTTP/2: 2,192 measured; first use of names that are short
later: 300; names and the proxy once more."""
MESSAGE_BYTES: Final = 150
"""62 measured of a batch on an open stream, 87 of a call."""
SENT_PART: Final = 16
"""Sent again where a line loses packets, one in 16. Records of TLS and frames of HTTP/2: 31 in 16,384 bytes."""
RECEIVED_PART: Final = 1_024
"""Windows are opened again: one in 3,600 measured, of 50 MB."""

# What the courier's own word is believed, in a minute.
ATTEMPTS_MAX: Final = 40
"""Five destinations, each every 7.5 s by its backoff; where a resolver is silent each sends 800 bytes."""
CONNECTIONS_MAX: Final = 12
FRAMES_MAX: Final = 64
"""A heartbeat each second is the most that a control plane may ask for."""
FRAME_BYTES_MAX: Final = 16_384
"""Seven orders to fetch, of 64 blobs each."""


@dataclass(frozen=True)
class Period:
    """What two looks of the kernel's counters differ by. `from_entry`: number of the first leaf after the earlier."""

    from_ms: int
    to_ms: int
    from_entry: int
    kernel_bytes: int
    kernel_packets: int
    header_bytes: int
    """Of them: headers of IP and TCP, by their real lengths."""
    other_bytes: int
    """What was refused, of whomever."""
    other_packets: int
    others_sent_bytes: int
    """What users other than Postern's sent, or had forwarded, and was not refused."""
    lan_bytes: int
    """What the node sent in the site's own network."""

    @property
    def minutes(self) -> int:
        """Begun ones, of those that count."""
        return min(-(-(self.to_ms - self.from_ms) // MINUTE_MS), MINUTES_MAX)


@dataclass(frozen=True)
class Explained:
    """What the leaves of the period say."""

    envelopes: int
    """That were closed, other than as not sent."""
    bytes: int
    """Announced by these."""
    open_bytes: int
    """Announced by what is open at its end: any of it may have left already."""


@dataclass(frozen=True)
class Judgement:
    """`framing_bytes`: content that is in no leaf, and explained all the same: framing, and what was under way."""

    framing_bytes: int
    unexplained_bytes: int
    carried: int
    """Into the next period. Above 0: said to have left, and not counted yet. Below: the other way round."""


def believed(own: Own, minutes: int, received_bytes: int) -> Own:
    """The courier's own word, as far as it goes. `received_bytes`: as the kernel counted them; some may be another
    process's, whom somebody outside sends much so that it may send a little."""
    return Own(
        min(own.attempts, ATTEMPTS_MAX * minutes),
        min(own.connections, CONNECTIONS_MAX * minutes),
        min(own.frames, FRAMES_MAX * minutes),
        min(own.frame_bytes, FRAME_BYTES_MAX * minutes),
        min(own.received_bytes, received_bytes),
    )


def judge(period: Period, own: Own, explained: Explained, carried: int) -> Judgement:
    """`own`: of `believed`. `carried`: from the period before, 0 where none ends when this one begins.

    What is carried was allowed and not used, so that over many periods no more passes than the sum of their bounds.
    """
    content = period.kernel_bytes - period.header_bytes
    left = carried + explained.bytes + bound(period, own, explained) - content
    unexplained = max(0, -left - explained.open_bytes)
    most = explained.bytes + _of_events(own, explained.envelopes)
    return Judgement(
        framing_bytes=max(0, content - explained.bytes - unexplained),
        unexplained_bytes=unexplained,
        carried=min(max(left, -explained.open_bytes), most),
    )


def bound(period: Period, own: Own, explained: Explained) -> int:
    """Bytes that the framing of a period may have."""
    always = MINUTE_BYTES * period.minutes + own.received_bytes // RECEIVED_PART
    sent = (explained.bytes + own.frame_bytes) // SENT_PART
    return _of_events(own, explained.envelopes) + always + sent


def _of_events(own: Own, envelopes: int) -> int:
    """What each of them may come to; it may be counted a moment later, in the next period."""
    messages = own.frame_bytes + MESSAGE_BYTES * (own.frames + envelopes)
    return messages + ATTEMPT_BYTES * own.attempts + CONNECTION_BYTES * own.connections
