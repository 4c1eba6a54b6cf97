"""How much a program's key may take: what a new one has, and the most that one may have. Pure, so that the command
line knows it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Allowance:
    """How much a key may take."""

    requests_per_minute: int
    tokens_per_minute: int
    concurrent_max: int


USUAL: Final = Allowance(requests_per_minute=6_000, tokens_per_minute=1_000_000, concurrent_max=64)
"""What one program of a site needs, and by far not all that a node has."""

MOST: Final = Allowance(requests_per_minute=1_000_000, tokens_per_minute=100_000_000, concurrent_max=1_024)
"""Beyond what a node can do: a number above it is a slip of the hand."""
