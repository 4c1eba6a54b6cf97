"""The bare encoder, which benches compare with: ONNX Runtime on the node's int8 file, nothing around it."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import psutil
from tokenizers import Tokenizer

from models.catalog import DEFAULT_ENCODER, models_dir
from models.recipes.files import INT8_FILE, TOKENIZER_FILE
from models.records import model_folder

BATCHES = (1, 8, 16, 32, 64)
BATCH_ROUNDS = 7
BATCH_SLICE_S = 0.4


class Bare:
    """ONNX Runtime on the node's int8 file, nothing around it; both cores, in whichever of two ways is faster.

    `lanes` 1: one call at a time on every core. `lanes` of as many as there are cores: so many calls on one each.
    """

    def __init__(self, lanes: int, on_thread: Callable[[], None] | None = None) -> None:
        """`on_thread` runs first on each of its threads."""
        cores = len(psutil.Process().cpu_affinity())
        folder = model_folder(models_dir(), DEFAULT_ENCODER)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, cores // lanes)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / INT8_FILE), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(256)
        self.lanes = lanes
        self._threads = ThreadPoolExecutor(lanes, initializer=on_thread)

    def embed(self, texts: list[str]) -> None:
        """One call."""
        pieces = self._tokenizer.encode_batch_fast(texts)
        ids = np.array([piece.ids for piece in pieces], np.int64)
        mask = np.array([piece.attention_mask for piece in pieces], np.int64)
        self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})

    def embed_all(self, batches: list[list[str]]) -> None:
        """All batches, on every lane."""
        for _ in self._threads.map(self.embed, batches):
            pass

    def rate(self, texts: Iterator[str], batch: int, seconds: float) -> float:
        """Sentences a second over a slice."""
        began = time.perf_counter()

        def work(_: int) -> int:
            done = 0
            while time.perf_counter() - began < seconds:
                self.embed([next(texts) for _ in range(batch)])
                done += batch
            return done

        return sum(self._threads.map(work, range(self.lanes))) / (time.perf_counter() - began)


class NeverEnding(Iterator[str]):
    """The texts, then again with a number before each: no text is ever sent twice. For any number of threads."""

    def __init__(self, texts: list[str], prefix: str) -> None:
        self._texts = texts
        self._prefix = prefix
        self._numbers = itertools.count()

    def __next__(self) -> str:
        round_, index = divmod(next(self._numbers), len(self._texts))
        return f"{self._prefix} {round_}: {self._texts[index]}" if round_ else self._texts[index]


def fastest_bare(texts: Iterator[str]) -> tuple[Bare, int, dict[str, float]]:
    """The bare encoder in the way and with the batch at which it is fastest, and the rate of each."""
    ways = [Bare(1), Bare(len(psutil.Process().cpu_affinity()))]
    seen: dict[tuple[int, int], list[float]] = {(way, batch): [] for way in (0, 1) for batch in BATCHES}
    for _ in range(BATCH_ROUNDS):  # interleaved, so that a slow moment of the machine meets all alike
        for way, batch in seen:
            seen[way, batch].append(ways[way].rate(texts, batch, BATCH_SLICE_S))
    rates = {key: statistics.median(found) for key, found in seen.items()}
    way, batch = max(rates, key=lambda key: rates[key])
    table = {f"{ways[w].lanes} lanes, batch {b}": round(rate, 1) for (w, b), rate in rates.items()}
    return ways[way], batch, table
