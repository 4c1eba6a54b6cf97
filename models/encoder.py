"""Text in, vectors out: tokenizer and runtime together, opened only from files that passed the gate on this node.

Blocking and thread-safe: the runtimes and the tokenizer release the GIL. It neither queues nor batches over callers
(see `edge.inference.scheduler`), and never keeps a text.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from models.catalog import DEFAULT_ENCODER, EncoderEntry, encoder_entry
from models.errors import ModelRefused, RuntimeUnavailable
from models.machine import usable_cpus
from models.recipes.files import TOKENIZER_FILE
from models.records import check_files, check_gate, model_folder
from models.runtimes.port import Floats, Ids, Runtime

RuntimeName = Literal["auto", "onnxruntime", "openvino"]

PASS_TOKENS_MAX: Final = 256
"""Rows × padded length of one pass. Past it the activations fall out of the core's cache and every row costs more.

Measured as CPU time a row on 2 VNNI cores: questions of 18 tokens 3.1 ms in passes of 8, 5.2 ms in passes of 32;
chunks of 200 tokens 36 ms alone, 82 ms in passes of 16.
"""

LOWEST_PRIORITY: Final = 19
"""Niceness of work in the background: a thread of usual priority gets some 70 times its share (sched(7))."""

_PAD_ID: Final = 0


@dataclass(frozen=True)
class ModelInfo:
    """What answers: shown in `status`, `/metrics` and every figure."""

    model: str
    version: str
    runtime: str
    device: str
    sha256: str
    fallback: str = ""


@dataclass(frozen=True)
class Encoded:
    """One pass over `n` texts, in the order given, padded to the longest.

    embeddings    float32 [n, dim], L2-normalised
    token_states  float32 [n, tokens, dim]; zero where `mask` is false
    mask          bool [n, tokens]; true for real tokens, the first and last of which are [CLS] and [SEP]
    offsets       int32 [n, tokens, 2]; code points [start, end) of the text as given; (0, 0) for specials, padding
    truncated     bool [n]; true where the text had more than `max_tokens`: its tail is in neither vector nor states
    """

    embeddings: Floats
    token_states: Floats
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]


class Encoder:
    """A tokenizer and a loaded model; `lanes` passes of one call run side by side."""

    def __init__(
        self, entry: EncoderEntry, tokenizer: Path, runtime: Runtime, sha256: str, lanes: int = 1
    ) -> None:
        self.dim = entry.shape.dim
        self.max_tokens = entry.shape.max_tokens
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._runtime = runtime
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="encoder")
        self.info = ModelInfo(
            entry.name, entry.version, runtime.name, runtime.device, sha256, runtime.fallback
        )

    def encode(self, texts: Sequence[str], *, groups: Sequence[int] | None = None) -> Encoded:
        """Vectors, token states and offsets of `texts`. Raises RuntimeUnavailable.

        `groups`: sizes of runs of `texts`, each with passes of its own. The int8 model scales its activations by all
        that is in a pass, so what a text becomes depends a little on its company; in a group it is always the same.
        """
        pieces = self._tokenizer.encode_batch(list(texts))
        rows = [_Row.of(piece, self.max_tokens) for piece in pieces]
        width = max((len(row.ids) for row in rows), default=0)
        embeddings = np.zeros((len(rows), self.dim), np.float32)
        states = np.zeros((len(rows), width, self.dim), np.float32)

        def run(chosen: list[int]) -> None:
            ids, mask = _pad([rows[index] for index in chosen])
            vectors, found = self._runtime.run(ids, mask, want_states=True)
            embeddings[chosen] = vectors
            if found is not None:
                found[mask == 0] = 0.0
                states[chosen, : ids.shape[1]] = found

        lengths = [len(row.ids) for row in rows]
        self._run_all(run, _passes(lengths) if groups is None else _passes_of(groups, lengths))
        return _gather(rows, width, embeddings, states)

    def embed(self, texts: Sequence[str]) -> Floats:
        """The vectors alone: float32 [n, dim], in the order given. Raises RuntimeUnavailable."""
        return self.embed_counted(texts)[0]

    def embed_counted(self, texts: Sequence[str]) -> tuple[Floats, list[int]]:
        """As `embed`, and each text's tokens as `count_tokens` gives them. Raises RuntimeUnavailable."""
        rows = [_Row.of(piece, self.max_tokens) for piece in self._tokenise(texts)]
        embeddings = np.zeros((len(rows), self.dim), np.float32)

        def run(chosen: list[int]) -> None:
            ids, mask = _pad([rows[index] for index in chosen])
            embeddings[chosen], _ = self._runtime.run(ids, mask, want_states=False)

        self._run_all(run, _passes([len(row.ids) for row in rows]))
        return embeddings, [row.length for row in rows]

    def in_background(self) -> BackgroundEncoder:
        """The same model, for work that may take its time. Close it first."""
        return BackgroundEncoder(self)

    def _tokenise(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch_fast(list(texts))

    def _run_all(self, run: Callable[[list[int]], None], passes: list[list[int]]) -> None:
        """One pass runs here; more run on the lanes. Each writes its own rows."""
        if len(passes) <= 1:
            for chosen in passes:
                run(chosen)
        else:
            for _ in self._lanes.map(run, passes):
                pass

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, specials included, not cut at `max_tokens`."""
        return [len(piece) for piece in self._tokenizer.encode_batch_fast(list(texts))]

    def words(self) -> frozenset[str]:
        """Whole words of the tokenizer's vocabulary, as it spells them; pieces and signs left out."""
        return frozenset(word for word in self._tokenizer.get_vocab() if word.isalpha())

    def close(self) -> None:
        """Free the model."""
        self._lanes.shutdown()
        self._runtime.close()


class BackgroundEncoder(Encoder):
    """An encoder's model on threads of its own, of the lowest priority: `embed` takes what time others leave.

    As many passes side by side as the encoder has, tokenising included, so that with nobody else it is as fast. A
    runtime with threads of its own (OpenVINO) yields only between passes.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.dim = encoder.dim
        self.max_tokens = encoder.max_tokens
        self.info = encoder.info
        self._tokenizer = encoder._tokenizer
        self._runtime = encoder._runtime
        self._lanes = ThreadPoolExecutor(
            encoder._lanes._max_workers, thread_name_prefix="background", initializer=_lower_priority
        )

    def close(self) -> None:
        """End the threads; the model stays."""
        self._lanes.shutdown(cancel_futures=True)

    def _tokenise(self, texts: Sequence[str]) -> list[Encoding]:
        # One by one: a batch would go to the tokenizer's own threads, which have everyone's priority.
        return list(self._lanes.map(self._tokenizer.encode, texts))

    def _run_all(self, run: Callable[[list[int]], None], passes: list[list[int]]) -> None:
        for _ in self._lanes.map(run, passes):
            pass


def _lower_priority() -> None:
    """The calling thread runs when no other wants to. Linux takes a thread's id here."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def open_encoder(
    models_dir: Path,
    runtime: RuntimeName = "auto",
    threads: int = 0,
    *,
    device: str = "CPU",
    model: str = DEFAULT_ENCODER,
) -> Encoder:
    """The encoder, on the runtime asked for or the one that was faster at the gate; `threads` 0 is every core.

    ONNX Runtime gets one thread a pass and as many passes side by side: without spinning its threads wait for each
    other too long. Medians of five interleaved rounds on 2 shared cores: 676 against 578 short texts/s, 55 against
    45 chunks/s; a single text, alternating, in 4.4 against 5.7 ms.

    Raises ModelMissing, ModelRefused (not gated on this machine, or changed since) or RuntimeUnavailable.
    """
    entry = encoder_entry(model, models_dir)
    gate = check_gate(models_dir, entry)
    chosen = gate.fastest if runtime == "auto" else runtime
    verdict = gate.verdict(chosen)
    if verdict is None or not verdict.passed:
        reason = verdict.reason if verdict else "it was not there when the model was built"
        raise ModelRefused(f"{entry.name} did not pass its gate on {chosen}: {reason}.")
    served = entry.runtimes[chosen]
    check_files(models_dir, entry, entry.opened(chosen))
    folder = model_folder(models_dir, entry.name)
    cores = threads or usable_cpus()
    lanes = cores if chosen == "onnxruntime" else 1
    loaded = open_runtime(chosen, folder / served, threads=cores // lanes, device=device)
    return Encoder(entry, folder / TOKENIZER_FILE, loaded, gate.files[served], lanes)


def open_runtime(name: str, path: Path, *, threads: int, device: str = "CPU") -> Runtime:
    """One runtime on one file, gate or no gate: for the gate itself and for tests. Raises RuntimeUnavailable."""
    threads = threads or usable_cpus()
    try:
        if name == "onnxruntime":
            from models.runtimes.onnx_runtime import OnnxRuntime

            return OnnxRuntime(path, threads=threads, device=device)
        if name == "openvino":
            from models.runtimes.openvino_runtime import OpenVinoRuntime

            return OpenVinoRuntime(path, threads=threads, device=device)
    except ImportError as error:
        raise RuntimeUnavailable(f"{name} is not installed.") from error
    raise RuntimeUnavailable(
        f"There is no runtime {name!r}.", remedy="Use `auto`, `onnxruntime` or `openvino`."
    )


@dataclass(frozen=True)
class _Row:
    """One tokenised text, cut to what the model takes."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    length: int
    """Tokens before the cut."""

    @property
    def truncated(self) -> bool:
        return self.length > len(self.ids)

    @classmethod
    def of(cls, piece: Encoding, max_tokens: int) -> _Row:
        ids, offsets = piece.ids, piece.offsets
        if len(ids) <= max_tokens:
            return cls(ids, offsets, len(ids))
        # Keep the closing token: the model has never seen a text without it.
        kept = max_tokens - 1
        return cls([*ids[:kept], ids[-1]], [*offsets[:kept], offsets[-1]], len(ids))


def _passes(lengths: list[int]) -> list[list[int]]:
    """Indices by pass: like lengths together, each pass within PASS_TOKENS_MAX (a longer text goes alone)."""
    passes: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if passes and (len(passes[-1]) + 1) * lengths[index] <= PASS_TOKENS_MAX:
            passes[-1].append(index)
        else:
            passes.append([index])
    return passes


def _passes_of(groups: Sequence[int], lengths: list[int]) -> list[list[int]]:
    """As `_passes`, for each run of so many texts alone."""
    passes: list[list[int]] = []
    start = 0
    for size in groups:
        passes += [[start + index for index in chosen] for chosen in _passes(lengths[start : start + size])]
        start += size
    return passes


def _pad(rows: Sequence[_Row]) -> tuple[Ids, Ids]:
    width = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), width), _PAD_ID, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = row.ids
        mask[index, : len(row.ids)] = 1
    return ids, mask


def _gather(rows: list[_Row], width: int, embeddings: Floats, states: Floats) -> Encoded:
    offsets = np.zeros((len(rows), width, 2), np.int32)
    mask = np.zeros((len(rows), width), np.bool_)
    for index, row in enumerate(rows):
        offsets[index, : len(row.ids)] = row.offsets
        mask[index, : len(row.ids)] = True
    truncated = np.array([row.truncated for row in rows], np.bool_)
    return Encoded(embeddings, states, mask, offsets, truncated)
