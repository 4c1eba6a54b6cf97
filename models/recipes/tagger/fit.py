"""Training of the ladder: fresh sentences in chunks, the encoder asked once for each, several steps with each.

Asking the frozen encoder costs as much as a step, so its states are kept for the chunk's life.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn import functional

from models.detect.shape import features
from models.recipes.tagger.corpus import Sentence
from models.recipes.tagger.rungs import FrozenEncoder, Ladder

TOKENS_MAX: Final = 160  # of a sentence; the generator's longest letters are cut
BATCH_TOKENS: Final = 1536  # about 40 sentences a step
CHUNKS_KEPT: Final = 3  # each sentence is seen some three times
RATE: Final = 1.2e-3
WARM_STEPS: Final = 200
DECAY: Final = 0.01
GRADIENT_MAX: Final = 1.0
TEMPERATURES: Final = tuple(0.5 + 0.05 * step for step in range(51))


@dataclass(frozen=True, slots=True)
class Row:
    """A tokenised sentence: ids [tokens], features [tokens, FEATURES], labels [tokens]."""

    ids: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step needs: states by layer, the features, the mask, the labels (-100: no loss)."""

    states: dict[int, Tensor]
    features: Tensor
    mask: Tensor
    labels: Tensor


def rows_of(sentences: Sequence[Sentence], tokenizer: Tokenizer, labels: Sequence[str]) -> list[Row]:
    """Sentences as the network reads them."""
    index = {label: number for number, label in enumerate(labels)}
    pieces = tokenizer.encode_batch([one.text for one in sentences])
    return [_row(one, piece, index) for one, piece in zip(sentences, pieces, strict=True)]


def _row(sentence: Sentence, piece: Encoding, index: dict[str, int]) -> Row:
    ids = np.array(piece.ids[:TOKENS_MAX], np.int64)
    offsets = np.array(piece.offsets[:TOKENS_MAX], np.int32)
    labels = np.zeros(len(ids), np.int64)
    starts, ends = offsets[:, 0], offsets[:, 1]
    for kind, start, end in sentence.spans:
        inside = np.flatnonzero((starts < end) & (ends > start) & (ends > starts))
        labels[inside] = index[f"I-{kind}"]
        labels[inside[:1]] = index[f"B-{kind}"]
    return Row(ids, features(sentence.text, offsets), labels)


def batches(
    rows: Sequence[Row], encoder: FrozenEncoder, reads: Iterable[int], rng: random.Random
) -> Iterator[Batch]:
    """Rows of like length together, with what the encoder's layers say of them."""
    wanted = sorted(set(reads))
    order = sorted(range(len(rows)), key=lambda row: len(rows[row].ids) + 4 * rng.random())
    group = list[Row]()
    for place in order:
        if group and len(rows[place].ids) * (len(group) + 1) > BATCH_TOKENS:
            yield _batch(group, encoder, wanted)
            group = []
        group.append(rows[place])
    if group:
        yield _batch(group, encoder, wanted)


def _batch(rows: Sequence[Row], encoder: FrozenEncoder, reads: Sequence[int]) -> Batch:
    width = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    seen = torch.zeros(len(rows), width, rows[0].features.shape[1])
    labels = torch.full((len(rows), width), -100)
    for number, row in enumerate(rows):
        length = len(row.ids)
        ids[number, :length] = torch.from_numpy(row.ids)
        seen[number, :length] = torch.from_numpy(row.features)
        labels[number, 1 : length - 1] = torch.from_numpy(row.labels[1:-1])
        mask[number, :length] = True
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        layers = encoder(ids, mask)
    return Batch({number: layers[number - 1].bfloat16() for number in reads}, seen, mask, labels)


def fit(
    ladder: Ladder,
    chunks: Iterator[list[Batch]],
    seconds: float,
    rate: float,
    rng: random.Random,
    on_chunk: Callable[[int, float, float], None],
) -> None:
    """Train for so long, at `rate` and ever less. `on_chunk` gets the steps, the loss, the share of time spent."""
    optimiser = torch.optim.AdamW(ladder.parameters(), lr=rate, weight_decay=DECAY)
    began, steps, loss_mean = time.monotonic(), 0, 0.0
    kept: list[list[Batch]] = []
    while (over := (time.monotonic() - began) / seconds) < 1.0:
        kept = [*kept, next(chunks)][-CHUNKS_KEPT:]
        pool = [batch for chunk in kept for batch in chunk]
        for _ in range(len(kept[-1]) * CHUNKS_KEPT):
            over = (time.monotonic() - began) / seconds
            if over >= 1.0:
                break
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, steps / WARM_STEPS) * max(0.01, 1.0 - over)
            loss = _step(ladder, rng.choice(pool), optimiser)
            loss_mean += (0.02 if steps else 1.0) * (loss - loss_mean)
            steps += 1
        on_chunk(steps, loss_mean, over)


def temperature(ladder: Ladder, held: Iterable[Batch]) -> float:
    """What scores are divided by so that the labels of sentences never seen are likeliest (Guo et al. 2017)."""
    ladder.eval()
    scores, labels = list[Tensor](), list[Tensor]()
    with torch.no_grad():
        for batch in held:
            told = ladder(
                {number: state.float() for number, state in batch.states.items()}, batch.features, batch.mask
            )
            scores.append(told.flatten(0, 1))
            labels.append(batch.labels.flatten())
    every, right = torch.cat(scores), torch.cat(labels)
    return min(TEMPERATURES, key=lambda by: float(functional.cross_entropy(every / by, right)))


def _step(ladder: Ladder, batch: Batch, optimiser: torch.optim.Optimizer) -> float:
    with torch.autocast("cpu", torch.bfloat16):
        scores = ladder(batch.states, batch.features, batch.mask)
    loss = functional.cross_entropy(scores.float().flatten(0, 1), batch.labels.flatten())
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(ladder.parameters(), GRADIENT_MAX)
    optimiser.step()
    return float(loss.detach())
