"""Text in, vectors out: tokenizer and runtime together, opened only from files that passed the gate on this node.

Blocking and thread-safe: the runtimes and the tokenizer release the GIL. It neither queues nor batches over callers
(see `edge.inference.scheduler`), and never keeps a text.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from models.catalog import DEFAULT_ENCODER, EncoderEntry, encoder_entry
from models.detect.tagger import Passed, Tagged
from models.errors import DeviceMissing, ModelRefused, RuntimeUnavailable, SwapRefused
from models.loaded import PASS_TOKENS_MAX, Loaded, embed, one_by_one, one_pass
from models.loading import default_for, file_of, load, opened_files
from models.machine import usable_cpus
from models.passes import Row, pad
from models.placement import BY_HAND, Candidate, Plan, Shortfall, current, read_placement
from models.placement import plan as make_plan
from models.probe import check_device
from models.recipes.files import TOKENIZER_FILE
from models.records import GateRecord, check_files, check_gate, read_build
from models.runtimes.port import Floats, Runtime
from models.runtimes.swappable import Swappable
from models.servable import Setback, first_servable

RuntimeName = Literal["auto", "onnxruntime", "openvino"]

LOWEST_PRIORITY: Final = 19
"""Niceness of work in the background: a thread of usual priority gets some 70 times its share (sched(7))."""

Accelerated = Callable[[str, Candidate, Runtime], Runtime]
"""A model of the catalogue on an accelerator outside this process, and on the CPU's runtime whenever it cannot."""


@dataclass(frozen=True)
class ModelInfo:
    """What answers: shown in `status`, `/metrics` and every figure."""

    model: str
    version: str
    runtime: str
    device: str
    sha256: str
    plan: Plan | None = None
    """Where it was to run, and what that falls short of; None for an encoder that was opened by hand."""
    space: str = ""
    """Which vectors its own may be compared with (`EncoderEntry.space`)."""
    shortfall: Shortfall | None = None
    """Why it does not run where it was asked to: never could, or does not just now. All who tell of it read this."""
    languages: tuple[str, ...] = ()
    setback: Setback | None = None
    """Why the version before serves."""


@dataclass(frozen=True)
class Encoded:
    """One pass over `n` texts, in the order given, padded to the longest.

    embeddings    float32 [n, dim], L2-normalised
    token_states  float32 [n, tokens, dim]; zero where `mask` is false
    mask          bool [n, tokens]; true for real tokens, the first and last of which are [CLS] and [SEP]
    offsets       int32 [n, tokens, 2]; code points [start, end) of the text as given; (0, 0) for specials, padding
    truncated     bool [n]; true where the text had more than `max_tokens`: its tail is in neither vector nor states
    tags          of each text what the tagger says of its tokens; None where it was not asked
    """

    embeddings: Floats
    token_states: Floats
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]
    tags: Sequence[Tagged] | None = None

    def first(self, count: int) -> Encoded:
        """Of the first `count` texts alone."""
        if count == len(self.embeddings):
            return self
        tokens = self.token_states[:count], self.mask[:count], self.offsets[:count]
        return Encoded(self.embeddings[:count], *tokens, self.truncated[:count])

    def passed(self) -> list[Passed]:
        """Of each text what a detector reads."""
        tags: Sequence[Tagged | None] = self.tags or [None] * len(self.embeddings)
        return [
            Passed(embedding, tagged, bool(truncated))
            for embedding, tagged, truncated in zip(self.embeddings, tags, self.truncated, strict=True)
        ]


class Encoder:
    """A tokenizer and a loaded model; `lanes` passes of one call run side by side."""

    def __init__(
        self,
        entry: EncoderEntry,
        tokenizer: Path,
        runtime: Runtime,
        sha256: str,
        lanes: int = 1,
        *,
        pass_tokens: int = PASS_TOKENS_MAX,
        plan: Plan | None = None,
        setback: Setback | None = None,
    ) -> None:
        found: Tokenizer = Tokenizer.from_file(str(tokenizer))
        found.no_padding()
        found.no_truncation()
        info = ModelInfo(
            entry.name,
            entry.version,
            runtime.name,
            runtime.device,
            sha256,
            plan,
            entry.space,
            languages=entry.languages,
            setback=setback,
        )
        threads = ThreadPoolExecutor(lanes, thread_name_prefix="encoder")
        self._serving = Swappable(Loaded(found, runtime, threads, pass_tokens, entry.shape, info))

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self._serving.model.shape.dim

    @property
    def max_tokens(self) -> int:
        """Of a text; what is beyond them is cut."""
        return self._serving.model.shape.max_tokens

    @property
    def info(self) -> ModelInfo:
        """What answers now: a device that is lost has another in its place."""
        model = self._serving.model
        planned = model.info.plan.shortfall if model.info.plan else None
        return replace(
            model.info,
            runtime=model.runtime.name,
            device=model.runtime.device,
            shortfall=planned or model.runtime.shortfall,
        )

    def take_over(self, other: Encoder, *, other_space: bool = False) -> Callable[[], None]:
        """Serve from the next call on what `other` serves; `other` is not used any more.

        Calls that run end on the old model; what is returned closes it (see `Swappable.swap`). Raises SwapRefused: its
        vectors are of another space, and `other_space` does not say that whoever compares vectors knows.
        """
        if not other_space and other.info.space != self.info.space:
            raise SwapRefused(f"{other.info.model} makes other vectors than {self.info.model}, which serves.")
        return self._serving.swap(other._serving.model)

    def serves_as(self, other: Encoder) -> bool:
        """Whether this one has taken over what `other` serves."""
        return self._serving.model is other._serving.model

    @property
    def tags(self) -> bool:
        """Whether a tagger reads its layers."""
        return self._serving.model.tags

    def encode(
        self,
        texts: Sequence[str],
        *,
        groups: Sequence[int] | None = None,
        want_states: bool = True,
        want_tags: bool = False,
    ) -> Encoded:
        """Vectors, token states and offsets of `texts`, with `want_tags` and a tagger also tags.

        Without `want_states` they are empty. Raises RuntimeUnavailable.

        `groups`: sizes of runs of `texts`, each with passes of its own. The int8 model scales its activations by all
        that is in a pass, so what a text becomes depends a little on its company; in a group it is always the same.
        """
        with self._serving.use() as model:
            rows = model.rows(model.tokenizer.encode_batch(list(texts)))
            width = max((len(row.ids) for row in rows), default=0)
            embeddings = np.zeros((len(rows), model.shape.dim), np.float32)
            states = np.zeros((len(rows), width if want_states else 0, model.shape.dim), np.float32)
            tags: dict[int, Tagged] = {}

            def run(chosen: list[int]) -> None:
                ids, mask = pad([rows[index] for index in chosen])
                embeddings[chosen], found, told = one_pass(
                    model, texts, rows, chosen, ids, mask, want_states=want_states, want_tags=want_tags
                )
                tags.update(zip(chosen, told, strict=True) if told else ())
                if found is not None:
                    found[mask == 0] = 0.0
                    states[chosen, : ids.shape[1]] = found

            self._run_all(model, run, model.passes_for([len(row.ids) for row in rows], groups))
            return _gather(rows, width, embeddings, states, tags)

    def embed(self, texts: Sequence[str]) -> Floats:
        """The vectors alone: float32 [n, dim], in the order given. Raises RuntimeUnavailable."""
        with self._serving.use() as model:
            return embed(model, self._tokenise(model, texts), partial(self._run_all, model))[0]

    def embed_here(self, texts: Sequence[str]) -> tuple[Floats, list[int]]:
        """As `embed`, all of it in the calling thread, and each text's tokens as `count_tokens` gives them.

        For callers that are threads by the core themselves.
        """
        with self._serving.use() as model:
            return embed(model, [model.tokenizer.encode(text) for text in texts], one_by_one)

    def tag_here(self, texts: Sequence[str]) -> list[Passed]:
        """Vectors and, where a tagger reads its layers, tags; all of it in the calling thread, as `embed_here`.

        Raises RuntimeUnavailable.
        """
        with self._serving.use() as model:
            rows = model.rows([model.tokenizer.encode(text) for text in texts])
            found: dict[int, Passed] = {}

            def run(chosen: list[int]) -> None:
                ids, mask = pad([rows[index] for index in chosen])
                vectors, _, tags = one_pass(
                    model, texts, rows, chosen, ids, mask, want_states=False, want_tags=True
                )
                for place, index in enumerate(chosen):
                    tagged = tags[place] if tags else None
                    found[index] = Passed(vectors[place], tagged, truncated=rows[index].truncated)

            one_by_one(run, model.passes_for([len(row.ids) for row in rows]))
            return [found[index] for index in range(len(rows))]

    def in_background(self) -> BackgroundEncoder:
        """The same model, for work that may take its time. Close it first."""
        return BackgroundEncoder(self)

    def passes_for(self, lengths: list[int], groups: Sequence[int] | None = None) -> list[list[int]]:
        """How texts of so many tokens are put together."""
        return self._serving.model.passes_for(lengths, groups)

    def _tokenise(self, model: Loaded, texts: Sequence[str]) -> list[Encoding]:
        return model.tokenizer.encode_batch_fast(list(texts))

    def _run_all(self, model: Loaded, run: Callable[[list[int]], None], passes: list[list[int]]) -> None:
        """One pass runs here; more run on the lanes. Each writes its own rows."""
        if len(passes) <= 1:
            one_by_one(run, passes)
        else:
            for _ in model.lanes.map(run, passes):
                pass

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, specials included, not cut at `max_tokens`."""
        return [len(piece) for piece in self._serving.model.tokenizer.encode_batch_fast(list(texts))]

    def words(self) -> frozenset[str]:
        """Whole words of the tokenizer's vocabulary, as it spells them; pieces and signs left out."""
        return frozenset(word for word in self._serving.model.tokenizer.get_vocab() if word.isalpha())

    def close(self) -> None:
        """Free the model."""
        self._serving.close()


class BackgroundEncoder(Encoder):
    """An encoder's model on threads of its own, of the lowest priority: `embed` takes what time others leave.

    As many passes side by side as the encoder has, tokenising included, so that with nobody else it is as fast. A
    runtime with threads of its own (OpenVINO) yields only between passes.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._serving = encoder._serving
        self._threads = ThreadPoolExecutor(
            encoder._serving.model.lanes._max_workers,
            thread_name_prefix="background",
            initializer=_lower_priority,
        )

    def close(self) -> None:
        """End the threads; the model stays."""
        self._threads.shutdown(cancel_futures=True)

    def _tokenise(self, model: Loaded, texts: Sequence[str]) -> list[Encoding]:
        # One by one: a batch would go to the tokenizer's own threads, which have everyone's priority.
        return list(self._threads.map(model.tokenizer.encode, texts))

    def _run_all(self, _: Loaded, run: Callable[[list[int]], None], passes: list[list[int]]) -> None:
        for _done in self._threads.map(run, passes):
            pass


def _lower_priority() -> None:
    """The calling thread runs when no other wants to. Linux takes a thread's id here."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def open_encoder(
    models_dir: Path,
    runtime: RuntimeName = "auto",
    threads: int = 0,
    *,
    device: str = "auto",
    model: str = DEFAULT_ENCODER,
    accelerated: Accelerated | None = None,
) -> Encoder:
    """The encoder, where measuring placed it (`models.placement`), else on the runtime that was faster at the gate.

    `device` is the setting `models.device`, `threads` 0 every core. `accelerated` runs what is placed on an accelerator
    in another process; without it this one does. A device that is asked for and cannot be used is
    told in `info.shortfall`, and the CPU serves; a version that was refused (not gated on this machine, or changed
    since) in `info.setback`, and the one before serves. Raises ModelMissing, ModelRefused or RuntimeUnavailable.
    """

    def open_in(folder: Path, setback: Setback | None) -> Encoder:
        entry = encoder_entry(model, version=folder)
        plan = plan_encoder(folder, entry, runtime, threads, device)
        return open_planned(folder, entry, plan, accelerated, setback)

    return first_servable(models_dir, model, open_in)


def plan_encoder(
    folder: Path,
    entry: EncoderEntry,
    runtime: RuntimeName = "auto",
    threads: int = 0,
    device: str = "auto",
) -> Plan:
    """Where the version in `folder` is to run, without opening it. Raises ModelMissing or ModelRefused."""
    gate = check_gate(folder, entry)
    chosen = gate.fastest if runtime == "auto" else runtime
    _refuse_ungated(gate, entry.name, chosen)
    placement, stale = current(folder, gate.files)
    # A number of threads that somebody set is not what was measured.
    stale = BY_HAND if threads and placement and not stale else stale
    return make_plan(
        placement,
        stale,
        runtimes=(chosen,) if runtime != "auto" else tuple(v.runtime for v in gate.verdicts if v.passed),
        default=default_for(entry, chosen, threads or usable_cpus()),
        device=device,
        missing=_missing(device),
    )


def open_planned(
    folder: Path,
    entry: EncoderEntry,
    plan: Plan,
    accelerated: Accelerated | None = None,
    setback: Setback | None = None,
) -> Encoder:
    """The encoder of a plan; a device that does not start after all is a shortfall, and the CPU serves."""
    if accelerated is not None and plan.candidate.device != "CPU":
        spare = default_for(entry, check_gate(folder, entry).fastest, usable_cpus())
        around = partial(accelerated, entry.name, plan.candidate)
        return _open_candidate(folder, entry, spare, plan, setback, around)
    try:
        return _open_candidate(folder, entry, plan.candidate, plan, setback)
    except (RuntimeUnavailable, ModelRefused) as error:
        if plan.candidate.device == "CPU":
            raise
        reason = error.reason if isinstance(error, DeviceMissing) else "does_not_start"
        lost = Shortfall(plan.candidate.device.lower(), reason, error.detail, error.remedy)
    gate = check_gate(folder, entry)
    spare = default_for(entry, gate.fastest, usable_cpus())
    return _open_candidate(folder, entry, spare, Plan(spare, lost, plan.stale), setback)


def open_measured(folder: Path, entry: EncoderEntry, candidate: Candidate) -> Runtime:
    """One way to run an encoder, from files that passed. Raises ModelMissing, ModelRefused or RuntimeUnavailable."""
    check_files(folder, entry, opened_files(entry, candidate), _made_here(folder))
    return load(entry, folder, candidate)


def _made_here(folder: Path) -> Mapping[str, str]:
    """Hashes of the files that measuring read, beside those of the build: the fp16 form is made by it."""
    placement = read_placement(folder)
    return placement.files if placement else {}


def _open_candidate(
    folder: Path,
    entry: EncoderEntry,
    candidate: Candidate,
    plan: Plan,
    setback: Setback | None,
    around: Callable[[Runtime], Runtime] = lambda runtime: runtime,
) -> Encoder:
    """Raises ModelMissing, ModelRefused or RuntimeUnavailable."""
    runtime = open_measured(folder, entry, candidate)
    files = {**_made_here(folder), **read_build(folder).files}
    sha256 = files[file_of(entry, candidate)]
    return Encoder(
        entry,
        folder / TOKENIZER_FILE,
        around(runtime),
        sha256,
        candidate.lanes,
        pass_tokens=plan.candidate.pass_tokens,
        plan=plan,
        setback=setback,
    )


def _refuse_ungated(gate: GateRecord, name: str, runtime: str) -> None:
    verdict = gate.verdict(runtime)
    if verdict is None or not verdict.passed:
        reason = verdict.reason if verdict else "it was not there when the model was built"
        raise ModelRefused(f"{name} did not pass its gate on {runtime}: {reason}.")


def _missing(device: str) -> DeviceMissing | None:
    """Why a device that is asked for by name cannot be used."""
    if device in {"auto", "cpu"}:
        return None
    try:
        check_device(device.upper())
    except DeviceMissing as error:
        return error
    return None


def _gather(
    rows: list[Row], width: int, embeddings: Floats, states: Floats, tags: Mapping[int, Tagged]
) -> Encoded:
    offsets = np.zeros((len(rows), width, 2), np.int32)
    mask = np.zeros((len(rows), width), np.bool_)
    for index, row in enumerate(rows):
        offsets[index, : len(row.ids)] = row.offsets
        mask[index, : len(row.ids)] = True
    truncated = np.array([row.truncated for row in rows], np.bool_)
    in_order = [tags[index] for index in range(len(rows))] if len(tags) == len(rows) else None
    return Encoded(embeddings, states, mask, offsets, truncated, in_order)
