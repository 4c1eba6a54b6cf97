"""A leaf of the ledger as a line for people. Pure."""

from __future__ import annotations

from typing import Final

from edge.egress.ledger.leaf_types import Leaf
from edge.egress.verify import moment, plain

_WORDS: Final = {
    "begin": "key {key}, software {software}, leaves lost of the ledger before: {lost}",
    "link": "to {destination}, envelope {envelope}",
    "link_close": "{outcome}, {attempts} attempts, {frames} frames, {bytes} bytes, envelope {envelope}",
    "intent": "{kind} to {destination}, {rows} rows, {bytes} bytes, {verdict}, envelope {envelope}",
    "close": "{outcome}, {bytes} bytes, envelope {envelope}",
    "reconciled": "{from_ms} to {to_ms}: the kernel counted {kernel_bytes} bytes, all explained",
    "discrepancy": "{from_ms} to {to_ms}: the kernel counted {kernel_bytes} bytes, {unexplained_bytes} unexplained",
}
"""By type, what a person looks for; `--json` has all of it."""


def in_words(leaf: Leaf) -> str:
    """As "2026-11-30 12:57:39 UTC  #1 intent enrolment to 127.0.0.1:18092, …". What a damaged or forged ledger says
    steers no terminal."""
    said = {name: _value(name, value) for name, value in leaf.fields.items()}
    return f"{_value('time_ms', leaf.time_ms)}  #{leaf.index} {leaf.type} {_WORDS[leaf.type].format(**said)}"


def _value(name: str, value: object) -> str:
    if not isinstance(value, int):
        return plain(value)
    return moment(value) if name.endswith("_ms") else f"{value:,}"
