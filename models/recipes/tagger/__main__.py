"""`python -m models.recipes.tagger --data FOLDER --minutes N OUT`: train, and write the weights.

Run it in an environment with PyTorch (`requirements/peers/tagger.txt`; `python -m tests.bench.pii --train` makes one).
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Iterator
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load, load_file, save_file
from tokenizers import Tokenizer

from models.catalog import encoder_entry, models_dir
from models.catalog.entries import WheelSource
from models.detect.network import TAGGED_ENCODER
from models.recipes.bert_graph import BertShape
from models.recipes.tagger import corpus
from models.recipes.tagger.corpus import Sentence
from models.recipes.tagger.fit import RATE, Batch, batches, fit, rows_of, temperature
from models.recipes.tagger.labels import LABELS, TEMPERATURE
from models.recipes.tagger.rungs import FrozenEncoder, Ladder
from models.recipes.tagger.sizes import RUNGS
from models.recipes.wheel import read_wheel_file

# A chunk's parts: our own sentences, others' frames with our values, turns as people wrote and said them, and questions
# in which nobody is named: customers' to a bank, and our own to the front desks of many sites, whole and in pieces.
GENERATED, FRAMES, TURNS, SAID, QUESTIONS, DESKS = 6_500, 1_600, 2_000, 300, 400, 900
SEED = 7
SAVED_EVERY_S = 240.0
# Sentences of kept-out frames that the temperature is set on.
CALIBRATION = 2_000


def main() -> None:
    """Train; progress on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--from", dest="start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=RATE, help="of learning, at its highest")
    asked = parser.parse_args()
    torch.manual_seed(SEED)
    encoder, tokenizer = _encoder()
    ladder = Ladder(RUNGS, len(LABELS))
    if asked.start:
        arrays = load_file(asked.start)
        arrays.pop(TEMPERATURE)
        ladder.take(arrays)
    rng, saved = random.Random(SEED), [time.monotonic()]  # noqa: S311 - examples, not secrets

    def on_chunk(steps: int, loss: float, over: float) -> None:
        sys.stderr.write(f"{over:4.0%}  {steps} steps  loss {loss:.4f}\n")
        sys.stderr.flush()
        if time.monotonic() - saved[0] > SAVED_EVERY_S:
            _write(asked.out, ladder, 1.0)
            saved[0] = time.monotonic()

    reads = {number for rung in RUNGS.reads for number in rung}

    def chunks() -> Iterator[list[Batch]]:
        for sentences in _chunks(asked.data, rng):
            yield list(batches(rows_of(sentences, tokenizer, LABELS), encoder, reads, rng))

    fit(ladder, chunks(), asked.minutes * 60, asked.rate, rng, on_chunk)
    calibration = rows_of(list(corpus.generated(CALIBRATION, SEED, held=True)), tokenizer, LABELS)
    tempered = temperature(ladder, batches(calibration, encoder, reads, rng))
    _write(asked.out, ladder, tempered)


def _write(path: Path, ladder: Ladder, temperature: float) -> None:
    save_file(ladder.arrays() | {TEMPERATURE: np.array([temperature], np.float32)}, path)


def _encoder() -> tuple[FrozenEncoder, Tokenizer]:
    entry = encoder_entry(TAGGED_ENCODER)
    assert isinstance(entry.source, WheelSource)
    assert entry.bert is not None
    wheel = models_dir() / "wheels" / entry.source.filename
    weights = load(read_wheel_file(wheel, entry.file("weights")))
    shape = BertShape(entry.bert.layers, entry.bert.heads, entry.shape.dim, entry.bert.layer_norm_epsilon)
    tokenizer = Tokenizer.from_str(read_wheel_file(wheel, entry.file("tokenizer")).decode())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return FrozenEncoder(weights, shape).eval(), tokenizer


def _chunks(data: Path, rng: random.Random) -> Iterator[list[Sentence]]:
    """Without end: a mix of all, each time with other values."""
    strangers, _ = corpus.presidio(data / "pii" / "presidio_frames_dev.jsonl")
    turns = [
        one
        for part in corpus.MULTIDOGO
        for one in corpus.multidogo(data / "pii" / f"multidogo_{part}" / "train.tsv")
    ]
    rng.shuffle(turns)
    said = corpus.evi(data / "pii" / "evi_dialogues_en.tsv", 1_000_000, SEED)
    questions = [Sentence(text, ()) for text in _questions(data / "intent" / "banking77_train.csv")]
    desks = [Sentence(text, ()) for text in corpus.desk_questions(rng)]
    endless = [
        (cycle(turns), TURNS),
        (cycle(list(said)), SAID),
        (cycle(questions), QUESTIONS),
        (cycle(desks), DESKS),
    ]
    for seed in count(SEED):
        found = [*corpus.generated(GENERATED, seed), *corpus.with_our_values(strangers, FRAMES, seed)]
        for source, amount in endless:
            found += islice(source, amount)
        yield found


def _questions(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


if __name__ == "__main__":
    main()
