"""Shape buckets: the few shapes that a device gets to see, whatever the lengths of the texts.

One design for all that want it. OpenVINO's NPU compiles for fixed shapes; a CUDA graph replays one; OpenVINO's CPU
plugin keeps what it prepared for every shape that it ever met (`tests.bench.shapes` shows how much). A batch is padded
to the smallest bucket that holds it, cut into several where it has more rows than the largest, and what was padded is
cut off the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from models.errors import RuntimeUnavailable
from models.runtimes.port import Floats, Ids

LENGTHS: Final = (
    8,
    16,
    24,
    32,
    48,
    64,
    96,
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
)
"""Tokens. Steps of a third to a half: lengths of 1 to 512 alike are padded by a sixth on average, from 17 on by half
at worst."""

FEW_LENGTHS: Final = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Tokens, where each shape costs a compilation or a captured graph, and memory for as long as it may come."""

CELLS_MAX: Final = 8192
"""Rows x tokens of the largest bucket on a device that computes in parallel; its states are 12 MB at 384 dimensions."""


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """One shape."""

    tokens: int
    rows: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """`lengths` and `rows`, ascending; without `rows` a batch keeps its own number of them."""

    lengths: tuple[int, ...]
    rows: tuple[int, ...] = ()
    cells_max: int = CELLS_MAX

    def __post_init__(self) -> None:
        assert self.lengths
        assert all(
            smaller < larger
            for sizes in (self.lengths, self.rows)
            for smaller, larger in pairwise((0, *sizes))
        )

    def all(self) -> tuple[Bucket, ...]:
        """Every bucket of fixed shape: what is compiled or captured when a model is opened."""
        return tuple(Bucket(tokens, rows) for tokens in self.lengths for rows in self._rows_at(tokens))

    def of(self, rows: int, tokens: int) -> Bucket:
        """The smallest that holds as many of these rows as one can. Raises RuntimeUnavailable (too long)."""
        length = next((length for length in self.lengths if tokens <= length), None)
        if length is None:
            raise RuntimeUnavailable(
                f"{tokens} tokens are more than the {self.lengths[-1]} of the largest bucket."
            )
        fitting = self._rows_at(length)
        return Bucket(
            length, next((most for most in fitting if rows <= most), fitting[-1]) if fitting else rows
        )

    def _rows_at(self, tokens: int) -> tuple[int, ...]:
        """What a length may have of rows: within `cells_max`, but never none."""
        return tuple(rows for rows in self.rows if rows * tokens <= self.cells_max) or self.rows[:1]


def static_buckets(device: str, tokens_max: int) -> Buckets:
    """The buckets of a device that wants fixed shapes, for a model of so many tokens at most."""
    # An NPU computes one row after the other; a GPU is idle for most of a single row's time.
    rows = (1, 4) if device == "NPU" else (1, 8, 32, 128)
    return Buckets(up_to(FEW_LENGTHS, tokens_max), rows)


def up_to(lengths: tuple[int, ...], tokens_max: int) -> tuple[int, ...]:
    """`lengths` below `tokens_max`, and that: the last bucket holds the longest text and no more."""
    return (*(length for length in lengths if length < tokens_max), tokens_max)


def in_buckets(
    buckets: Buckets,
    input_ids: Ids,
    attention_mask: Ids,
    run: Callable[[Bucket, Ids, Ids], tuple[Floats, Floats | None]],
) -> tuple[Floats, Floats | None]:
    """What `run` says of the batch in buckets, put together again. Raises RuntimeUnavailable (too long) and `run`'s."""
    tokens = input_ids.shape[1]
    found = []
    for bucket, part in _parts(buckets, *input_ids.shape):
        ids, mask = (fill(array[part], bucket) for array in (input_ids, attention_mask))
        embedding, states = run(bucket, ids, mask)
        count = part.stop - part.start
        found.append((embedding[:count], None if states is None else states[:count, :tokens]))
    if len(found) == 1:
        return found[0]
    every = [states for _, states in found if states is not None]
    return np.concatenate([embedding for embedding, _ in found]), np.concatenate(every) if every else None


def fill(array: Ids, bucket: Bucket) -> Ids:
    """`array` [rows, tokens] in the bucket's shape: zeros behind each row, further rows are copies of the first.

    Not zeros: a row without a token has no mean, and NaN would spread through a scale that the batch shares.
    """
    rows, tokens = array.shape
    if (tokens, rows) == (bucket.tokens, bucket.rows):
        return array
    filled = np.zeros((bucket.rows, bucket.tokens), array.dtype)
    filled[:rows, :tokens] = array
    filled[rows:, :tokens] = array[0]
    return filled


def _parts(buckets: Buckets, rows: int, tokens: int) -> Iterator[tuple[Bucket, slice]]:
    """Runs of rows with the bucket of each."""
    start = 0
    while start < rows:
        bucket = buckets.of(rows - start, tokens)
        stop = min(rows, start + bucket.rows)
        yield bucket, slice(start, stop)
        start = stop
