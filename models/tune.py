"""Measures where the encoder runs best on this machine, and writes it down (`models.placement`).

Every candidate is opened, held against the fp32 reference on the golden set, and timed; those that pass and are not far
behind race on, in interleaved rounds, until the time is up. A busy machine slows all of them alike.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from models.catalog import EncoderEntry
from models.encoder import Encoder
from models.errors import DeviceMissing, ModelBuildFailed, RuntimeUnavailable
from models.evaluate import compare_encoders, encoder_shortfalls, vector_faults
from models.gates import golden_of, reference_vectors
from models.golden import EncoderGolden, encoder_golden
from models.loading import HALF_FILE, forms, load
from models.machine import this_machine, usable_cpus
from models.placement import (
    DEVICES,
    Candidate,
    Measured,
    Placement,
    candidates,
    explain,
    geometric_mean,
    read_placement,
    write_placement,
)
from models.probe import check_device, this_hardware
from models.progress import Report, silent
from models.recipes.files import FP32_FILE, TOKENIZER_FILE
from models.records import READABLE, read_build, sha256_of
from models.runtimes.port import Floats

SECONDS: Final = 40.0
"""Of measuring, by default: five candidates here, of which one round takes some 2 s and loading 2 s."""

BATCHES: Final = ((1, 16), (16, 16), (1, 128), (8, 128))
"""Rows and tokens that are timed: a question alone and in company, a passage alone and in company."""

ROUNDS_MIN: Final = 3
"""Of a candidate that stays in the race: a median of fewer says nothing."""

HOPELESS: Final = 1.6
"""Times the best so far, after its first round: a candidate this slow is timed no further."""

OVERTIME: Final = 1.5
"""Times the seconds given: there even the fewest rounds end. A loaded machine may take as long for one round."""

ROUNDS_MAX: Final = 40
"""More rounds than this change no median."""

Clock = Callable[[], float]


class Contestant(Protocol):
    """An encoder that is opened, as the race sees it."""

    def embed(self, texts: Sequence[str]) -> Floats: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Machinery:
    """What the tuning works with; another one in tests."""

    open: Callable[[Candidate], Contestant]
    reference: Callable[[], Floats]
    """The fp32 embeddings of the golden set."""
    absent: Callable[[str], DeviceMissing | None]
    golden: EncoderGolden = field(default_factory=encoder_golden)
    clock: Clock = time.perf_counter


@dataclass
class _Entrant:
    """A candidate on its way through the race."""

    candidate: Candidate
    encoder: Contestant | None = None
    accuracy: dict[str, float] = field(default_factory=dict)
    taken: dict[str, list[float]] = field(default_factory=dict)
    reason: str = ""
    passed: bool = False

    @property
    def ms(self) -> dict[str, float]:
        return {key: round(1000 * statistics.median(found), 3) for key, found in self.taken.items()}

    @property
    def rounds(self) -> int:
        return min(map(len, self.taken.values()), default=0)

    def close(self) -> None:
        if self.encoder is not None:
            self.encoder.close()
            self.encoder = None

    def measured(self) -> Measured:
        return Measured(
            candidate=self.candidate,
            passed=self.passed,
            accuracy=self.accuracy,
            ms=self.ms,
            rounds=self.rounds,
            reason=self.reason,
        )


def tune_encoder(
    entry: EncoderEntry, folder: Path, seconds: float = SECONDS, report: Report = silent
) -> Placement:
    """Measure, choose, and write `placement.json` into `folder`. Raises ModelBuildFailed when nothing passes."""
    golden = golden_of(entry, folder)
    half = {} if entry.imported else _make_half(folder)
    machinery = Machinery(
        open=lambda candidate: open_candidate(entry, folder, candidate),
        reference=lambda: reference_vectors(entry, folder, golden.texts),
        absent=_absent,
        golden=golden,
    )
    here = [device for device in DEVICES["auto"] if device != "CPU" and _absent(device) is None]
    there = [name for name, file in forms(entry).items() if (folder / file).is_file()]
    began = time.perf_counter()
    rows = race(entry, candidates(usable_cpus(), here, there), seconds, machinery, report)
    rows += remembered(read_placement(folder), machinery.absent)
    try:
        chosen, why, told = explain(rows)
    except ValueError as error:
        reasons = "; ".join(f"{row.candidate.label}: {row.reason}" for row in rows)
        raise ModelBuildFailed(f"{entry.name} runs rightly on nothing here. {reasons}") from error
    placement = Placement(
        model=entry.name,
        files=read_build(folder).files | half,
        machine=this_machine(),
        hardware=this_hardware(),
        chosen=chosen,
        why=why,
        measured=told,
        seconds=round(time.perf_counter() - began, 1),
        tuned_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_placement(folder, placement)
    return placement


def open_candidate(entry: EncoderEntry, folder: Path, candidate: Candidate) -> Encoder:
    """An encoder as the candidate says, gate or no gate. Raises RuntimeUnavailable."""
    runtime = load(entry, folder, candidate)
    return Encoder(
        entry, folder / TOKENIZER_FILE, runtime, "", candidate.lanes, pass_tokens=candidate.pass_tokens
    )


def race(
    entry: EncoderEntry,
    entries: Iterable[Candidate],
    seconds: float,
    machinery: Machinery,
    report: Report = silent,
) -> list[Measured]:
    """What became of each candidate, in the order given. Raises what the reference raises."""
    what, began = f"Tuning {entry.name}", machinery.clock()
    field_ = [_Entrant(candidate) for candidate in entries]
    expected = machinery.reference()
    batches = sample_batches(machinery.golden)

    def spent() -> float:
        return machinery.clock() - began

    for index, entrant in enumerate(field_):
        report(what, min(int(spent()), int(seconds) - 1), int(seconds))
        if spent() >= seconds and any(each.passed for each in field_[:index]):
            entrant.reason = "the time was up before it was tried"
            continue
        _admit(entrant, entry, expected, machinery)
        if entrant.encoder is not None:
            _round(entrant, batches, machinery.clock)
            _drop_hopeless(field_)
    running = [entrant for entrant in field_ if entrant.encoder is not None]
    while running and spent() < seconds * (1.0 if running[0].rounds >= ROUNDS_MIN else OVERTIME):
        report(what, min(int(spent()), int(seconds) - 1), int(seconds))
        for entrant in random.sample(running, len(running)):
            _round(entrant, batches, machinery.clock)
        if running[0].rounds >= ROUNDS_MAX:
            break
    for entrant in running:
        entrant.close()
    report(what, int(seconds), int(seconds))
    return [entrant.measured() for entrant in field_]


def remembered(before: Placement | None, absent: Callable[[str], DeviceMissing | None]) -> list[Measured]:
    """Figures of devices that were measured once and are not there now: what they were worth is worth telling."""
    if before is None:
        return []
    found = []
    for row in before.measured:
        missing = absent(row.candidate.device) if row.ms and row.candidate.device != "CPU" else None
        if missing is not None:
            reason = f"measured before {before.tuned_at}; now absent: {missing.detail}"
            reason = row.reason if not row.passed and row.reason else reason
            found.append(row.model_copy(update={"passed": False, "reason": reason}))
    return found


def sample_batches(golden: EncoderGolden) -> Mapping[str, tuple[str, ...]]:
    """Texts of each timed bucket, by its name, made of the golden set. Tokens are guessed from words."""
    words = " ".join(golden.passages).split()
    found = {}
    for rows, tokens in BATCHES:
        # Two tokens are special, and four words of the golden set are five tokens.
        count = round((tokens - 2) * 0.8)
        starts = range(0, rows * 7, 7)
        found[f"{rows}x{tokens}"] = tuple(
            " ".join((words * (1 + (start + count) // len(words)))[start : start + count]) for start in starts
        )
    return found


def _admit(entrant: _Entrant, entry: EncoderEntry, expected: Floats, machinery: Machinery) -> None:
    """Open it and hold it against the reference."""
    golden = machinery.golden
    try:
        entrant.encoder = machinery.open(entrant.candidate)
        found = entrant.encoder.embed(golden.texts)
    except (RuntimeUnavailable, ValueError) as error:
        entrant.reason = (
            error.detail if isinstance(error, RuntimeUnavailable) else "Its arrays have other shapes."
        )
        entrant.close()
        return
    figures = compare_encoders(expected, found, golden)
    faults = vector_faults(found, entry.shape.dim)
    entrant.accuracy = {} if faults else figures.as_dict()
    entrant.reason = faults or "; ".join(encoder_shortfalls(figures, entry.gate))
    entrant.passed = not entrant.reason
    if not entrant.passed:
        entrant.close()


def _round(entrant: _Entrant, batches: Mapping[str, tuple[str, ...]], clock: Clock) -> None:
    """Time every bucket once. A device that fails now was not fit after all."""
    assert entrant.encoder is not None
    for key, texts in batches.items():
        started = clock()
        entrant.encoder.embed(texts)
        entrant.taken.setdefault(key, []).append(max(clock() - started, 1e-6))


def _drop_hopeless(entrants: Sequence[_Entrant]) -> None:
    """Close what is far behind: its memory and its share of the rounds serve the others."""
    running = [entrant for entrant in entrants if entrant.encoder is not None]
    best = min(geometric_mean(entrant.ms) for entrant in running)
    for entrant in running:
        if geometric_mean(entrant.ms) > HOPELESS * best:
            entrant.close()


def _absent(device: str) -> DeviceMissing | None:
    try:
        check_device(device)
    except DeviceMissing as error:
        return error
    return None


def _make_half(folder: Path) -> dict[str, str]:
    """The fp16 file and its hash, where a GPU could read it."""
    if _absent("CUDA") is not None:
        return {}
    from models.recipes.half import make_half

    make_half(folder / FP32_FILE, folder / HALF_FILE)
    (folder / HALF_FILE).chmod(READABLE)
    return {HALF_FILE: sha256_of(folder / HALF_FILE)}
