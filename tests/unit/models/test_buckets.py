"""Shapes: which bucket a batch gets, at, below and above each edge, and that nothing of the padding comes out."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import RuntimeUnavailable
from models.runtimes.buckets import (
    CELLS_MAX,
    FEW_LENGTHS,
    LENGTHS,
    Bucket,
    Buckets,
    fill,
    in_buckets,
    static_buckets,
    up_to,
)

FIXED = Buckets((16, 64), (1, 4))
LOOSE = Buckets((16, 64))


@pytest.mark.parametrize(
    ("rows", "tokens", "fixed", "loose"),
    [
        (1, 1, Bucket(16, 1), Bucket(16, 1)),
        (1, 15, Bucket(16, 1), Bucket(16, 1)),
        (1, 16, Bucket(16, 1), Bucket(16, 1)),
        (1, 17, Bucket(64, 1), Bucket(64, 1)),
        (2, 64, Bucket(64, 4), Bucket(64, 2)),
        (4, 16, Bucket(16, 4), Bucket(16, 4)),
        (5, 16, Bucket(16, 4), Bucket(16, 5)),
    ],
)
def test_the_smallest_that_holds_it(rows: int, tokens: int, fixed: Bucket, loose: Bucket) -> None:
    assert FIXED.of(rows, tokens) == fixed
    assert LOOSE.of(rows, tokens) == loose


@pytest.mark.parametrize("buckets", [FIXED, LOOSE])
def test_longer_than_the_longest_is_refused(buckets: Buckets) -> None:
    assert buckets.of(1, 64).tokens == 64
    with pytest.raises(RuntimeUnavailable):
        buckets.of(1, 65)


def test_a_length_has_as_many_rows_as_cells_permit_and_never_none() -> None:
    buckets = Buckets((16, 64), (1, 4, 8), cells_max=64)
    assert buckets.all() == (Bucket(16, 1), Bucket(16, 4), Bucket(64, 1))
    assert Buckets((16, 64), (2,), cells_max=64).all() == (Bucket(16, 2), Bucket(64, 2))
    assert LOOSE.all() == ()


@pytest.mark.parametrize("device", ["CUDA", "TENSORRT", "GPU", "NPU"])
def test_a_device_gets_few_buckets_up_to_the_models_longest_text(device: str) -> None:
    found = static_buckets(device, 256).all()
    assert {bucket.tokens for bucket in found} == {16, 32, 64, 128, 256}
    assert all(bucket.tokens * bucket.rows <= CELLS_MAX for bucket in found)
    assert len(found) <= 20


@pytest.mark.parametrize(
    ("tokens_max", "last_two"), [(255, (192, 255)), (256, (192, 256)), (257, (256, 257)), (512, (384, 512))]
)
def test_the_last_bucket_is_the_longest_text(tokens_max: int, last_two: tuple[int, int]) -> None:
    assert up_to(LENGTHS, tokens_max)[-2:] == last_two
    assert up_to(FEW_LENGTHS, 8) == (8,)


def test_no_length_is_padded_by_more_than_half_of_what_it_becomes() -> None:
    for tokens in range(LENGTHS[0] // 2 + 1, LENGTHS[-1] + 1):
        assert tokens > Buckets(LENGTHS).of(1, tokens).tokens / 2


def test_filling_pads_with_zeros_and_repeats_the_first_row() -> None:
    array = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(fill(array, Bucket(3, 3)), [[1, 2, 0], [3, 4, 0], [1, 2, 0]])
    assert fill(array, Bucket(2, 2)) is array


@pytest.mark.parametrize("buckets", [FIXED, LOOSE])
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("want_states", [True, False])
def test_what_comes_out_is_of_the_batch_alone(buckets: Buckets, rows: int, want_states: bool) -> None:
    ids = np.arange(rows * 20, dtype=np.int64).reshape(rows, 20)
    seen = []

    def run(bucket: Bucket, part: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        assert part.shape == mask.shape == (bucket.rows, bucket.tokens)
        seen.append(bucket)
        states = part[:, :, None].astype(np.float32)
        return states[:, 1], states if want_states else None

    embedding, states = in_buckets(buckets, ids, np.ones_like(ids), run)
    np.testing.assert_array_equal(embedding[:, 0], ids[:, 1])
    if want_states:
        assert states is not None
        np.testing.assert_array_equal(states[:, :, 0], ids)
    else:
        assert states is None
    assert len(seen) == (-(-rows // 4) if buckets is FIXED else 1)
