"""Runs a built model on its golden set with every runtime there is, and measures which is fastest here.

Raises when no runtime passes: without a verdict no record is written, and without a record nothing serves.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from models.catalog import EncoderEntry, EncoderGate, GeneratorEntry
from models.encoder import Encoder
from models.errors import GateFailed, ModelBuildFailed, RuntimeUnavailable
from models.evaluate import answers, compare_encoders, encoder_shortfalls, vector_faults
from models.generator import load_generator
from models.golden import (
    EncoderGolden,
    GeneratorCase,
    encoder_golden,
    generator_golden,
    read_encoder_golden,
)
from models.loading import open_runtime
from models.progress import Report
from models.recipes.files import TOKENIZER_FILE
from models.records import RuntimeVerdict
from models.runtimes.port import Floats, GenerationResult, Message, TextGenerator

RACE_ROUNDS: Final = 9
"""Interleaved rounds a runtime; a round is about .2 s, and the machine may be shared: the median is what counts."""


def gate_encoder(entry: EncoderEntry, folder: Path, report: Report) -> tuple[tuple[RuntimeVerdict, ...], str]:
    """Verdicts on all runtimes, and the name of the fastest that passed. Raises ModelBuildFailed."""
    what, steps = f"Checking {entry.name}", len(entry.runtimes) + 2
    report(what, 0, steps)
    golden = golden_of(entry, folder)
    texts = golden.texts
    expected = reference_vectors(entry, folder, texts)
    passed: dict[str, Encoder] = {}
    verdicts: dict[str, RuntimeVerdict] = {}
    for index, name in enumerate(entry.runtimes, start=1):
        report(what, index, steps)
        verdicts[name] = _try_runtime(entry, folder, name, expected, golden, passed)
    if not passed:
        reasons = "; ".join(f"{verdict.runtime}: {verdict.reason}" for verdict in verdicts.values())
        figures = _nearest(verdicts.values(), entry.gate)
        raise GateFailed(f"{entry.name} failed its gate. {reasons}", figures, remedy=_REMEDY)
    speeds = _race({name: partial(encoder.embed, texts) for name, encoder in passed.items()})
    for name, seconds in speeds.items():
        figures = verdicts[name].figures | {"texts_per_s": round(len(texts) / seconds, 1)}
        verdicts[name] = verdicts[name].model_copy(update={"figures": figures})
        passed[name].close()
    report(what, steps, steps)
    return tuple(verdicts.values()), min(speeds, key=speeds.__getitem__)


_REMEDY: Final = (
    "It does not serve. Report the figures with the processor's name; what served before still does."
)


def _nearest(verdicts: Iterable[RuntimeVerdict], gate: EncoderGate) -> dict[str, float]:
    """Figures of the runtime that came nearest to passing, and what the gate asks for; none where nothing ran."""
    measured = [verdict.figures for verdict in verdicts if verdict.figures]
    if not measured:
        return {}
    asked = {name: least for name, least in gate.model_dump().items() if least}
    return max(measured, key=lambda figures: sum(figures.values())) | asked


def golden_of(entry: EncoderEntry, folder: Path) -> EncoderGolden:
    """The golden set that an encoder is judged by: Postern's, or the one that came with it."""
    return read_encoder_golden(folder / entry.golden) if entry.golden else encoder_golden()


def reference_vectors(entry: EncoderEntry, folder: Path, texts: Sequence[str]) -> Floats:
    """Vectors of the reference; where none came with the model, of the first runtime: the others must agree with it."""
    first, served = next(iter(entry.runtimes.items()))
    runtime = "openvino" if entry.reference.endswith(".xml") else "onnxruntime"
    runtime, file = (runtime, entry.reference) if entry.reference else (first, served)
    try:
        reference = _open(entry, folder, file, runtime)
        expected = reference.embed(texts)
    except (RuntimeUnavailable, ValueError) as error:
        raise ModelBuildFailed(f"{entry.name}: {file} does not run. {_why(error)}", remedy=_REMEDY) from error
    reference.close()
    if faults := vector_faults(expected, entry.shape.dim):
        raise ModelBuildFailed(f"{entry.name}: {file}: {faults}.", remedy=_REMEDY)
    return expected


def _why(error: Exception) -> str:
    return (
        error.detail
        if isinstance(error, RuntimeUnavailable)
        else "Its arrays have other shapes than it says."
    )


def _try_runtime(
    entry: EncoderEntry,
    folder: Path,
    name: str,
    expected: Floats,
    golden: EncoderGolden,
    passed: dict[str, Encoder],
) -> RuntimeVerdict:
    try:
        encoder = _open(entry, folder, entry.runtimes[name], name)
        found = encoder.encode(golden.texts).embeddings  # states, too: what has other shapes fails here
    except (RuntimeUnavailable, ValueError) as error:
        return RuntimeVerdict(runtime=name, device="", passed=False, figures={}, reason=_why(error))
    figures = compare_encoders(expected, found, golden)
    faults = vector_faults(found, entry.shape.dim)
    shortfalls = [faults] if faults else encoder_shortfalls(figures, entry.gate)
    if not shortfalls:
        passed[name] = encoder
    return RuntimeVerdict(
        runtime=name,
        device=encoder.info.device,
        passed=not shortfalls,
        figures=figures.as_dict(),
        reason="; ".join(shortfalls),
    )


def _open(entry: EncoderEntry, folder: Path, file: str, runtime: str) -> Encoder:
    loaded = open_runtime(runtime, folder / file, threads=0, tokens_max=entry.shape.max_tokens)
    return Encoder(entry, folder / TOKENIZER_FILE, loaded, sha256="")


def _race(contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds a call, taken in turns so that a busy machine slows all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(RACE_ROUNDS):
        random.shuffle(order)
        for name in order:
            started = time.perf_counter()
            contestants[name]()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def gate_generator(
    entry: GeneratorEntry, folder: Path, report: Report
) -> tuple[tuple[RuntimeVerdict, ...], str]:
    """The verdict on the language model and its runtime's name. Raises ModelBuildFailed."""
    what, cases = f"Checking {entry.name}", generator_golden()
    report(what, 0, len(cases) + 1)
    try:
        generator = load_generator(entry, folder)
        outcomes: list[bool] = []
        started = time.perf_counter()
        tokens = 0
        for case in cases:
            report(what, len(outcomes) + 1, len(cases) + 1)
            result = _ask(generator, case, entry.gate.max_new_tokens)
            tokens += result.new_tokens
            outcomes.append(answers(case, result.text))
        seconds = time.perf_counter() - started
        generator.close()
    except RuntimeUnavailable as error:
        raise ModelBuildFailed(f"{entry.name} failed its gate. {error.detail}", remedy=_REMEDY) from error
    figures = {"answered": round(sum(outcomes) / len(cases), 3), "tokens_per_s": round(tokens / seconds, 1)}
    if not figures["answered"] >= entry.gate.answered_min:
        detail = f"answered {figures['answered']} of the golden set, needs {entry.gate.answered_min}"
        asked = figures | {"answered_min": entry.gate.answered_min}
        raise GateFailed(f"{entry.name} failed its gate: {detail}", asked, remedy=_REMEDY)
    report(what, len(cases) + 1, len(cases) + 1)
    verdict = RuntimeVerdict(runtime=generator.name, device=generator.device, passed=True, figures=figures)
    return (verdict,), generator.name


def _ask(generator: TextGenerator, case: GeneratorCase, max_new_tokens: int) -> GenerationResult:
    messages = (
        Message("system", "Answer the question in one short sentence, from the text only."),
        Message("user", f"Text: {case.context}\n\nQuestion: {case.question}"),
    )
    return generator.generate(messages, max_new_tokens=max_new_tokens, on_text=lambda _: False)
