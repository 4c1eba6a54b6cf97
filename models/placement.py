"""Where a model runs: the candidates of a machine, and which was chosen by measuring. Rules; files only at the end.

`placement.json` beside the model's files keeps what `models.tune` found: the choice, every candidate's figures, why
each other one was not taken. It counts for the files, processor, runtimes and hardware that it was measured with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.files import write_atomic
from models.errors import DeviceMissing
from models.machine import Machine, this_machine
from models.probe import Hardware, this_hardware

PLACEMENT_FILE: Final = "placement.json"

RuntimeId = Literal["onnxruntime", "openvino"]
Device = Literal["CPU", "CUDA", "TENSORRT", "GPU", "NPU"]
Precision = Literal["int8", "fp16", "fp32", "own"]
"""`own`: as the file of an imported model has it."""
Shapes = Literal["dynamic", "lengths", "static", "graphs"]
"""As they come; lengths padded to buckets; buckets; buckets with a captured CUDA graph each."""

DEVICES: Final[Mapping[str, tuple[Device, ...]]] = {
    "auto": ("CUDA", "TENSORRT", "GPU", "NPU", "CPU"),
    "cpu": ("CPU",),
    "cuda": ("CUDA", "TENSORRT"),
    "gpu": ("GPU",),
    "npu": ("NPU",),
}
"""What the setting `models.device` allows."""

CPU_PASS_TOKENS: Final = 256
"""See `encoder.PASS_TOKENS_MAX`."""

PARALLEL_PASS_TOKENS: Final = 8192
"""Of one pass on a GPU, which a smaller one leaves idle: `buckets.CELLS_MAX`."""

NEARLY_AS_FAST: Final = 0.97
"""Within three parts in a hundred two candidates are alike here: the simpler one, earlier in the list, is taken."""

BY_HAND: Final = "the number of threads is set by hand"
"""Why a record does not count that nothing is wrong with."""

_READABLE: Final = 0o644


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(_Record):
    """One way to run an encoder. `threads` of one pass, `lanes` passes side by side, each of `pass_tokens` at most."""

    runtime: RuntimeId
    device: Device
    precision: Precision
    threads: int
    lanes: int
    shapes: Shapes
    pass_tokens: int

    @property
    def label(self) -> str:
        """For people: what differs between candidates."""
        return f"{self.runtime} {self.device} {self.precision} {self.lanes}×{self.threads} {self.shapes}"


class Measured(_Record):
    """What became of one candidate. `ms`: median milliseconds of a batch, by bucket (`ROWSxTOKENS`)."""

    candidate: Candidate
    passed: bool
    accuracy: dict[str, float] = {}
    ms: dict[str, float] = {}
    rounds: int = 0
    reason: str = ""
    """Why it was dropped, or not chosen; empty for the one that was."""


class Placement(_Record):
    """The record. `measured` has the chosen one, too."""

    model: str
    files: dict[str, str]
    machine: Machine
    hardware: Hardware
    chosen: Candidate
    why: str
    measured: tuple[Measured, ...]
    seconds: float
    tuned_at: str

    def best_on(self, devices: Iterable[str], runtimes: Iterable[str]) -> Measured | None:
        """The fastest that passed on one of these."""
        within = [
            row
            for row in self.measured
            if row.passed and row.candidate.device in devices and row.candidate.runtime in runtimes
        ]
        return fastest(within)


@dataclass(frozen=True)
class Shortfall:
    """Why an encoder does not run as asked. `slowdown`: its time over that of what was asked for; 0: not known."""

    wanted: str
    reason: str
    detail: str
    remedy: str
    slowdown: float = 0.0

    def __str__(self) -> str:
        slower = f" It takes {self.slowdown:.1f} times as long." if self.slowdown else ""
        return f"{self.detail}{slower}"


@dataclass(frozen=True)
class Plan:
    """Where an encoder is to run, and what that falls short of. `stale`: why the record does not count."""

    candidate: Candidate
    shortfall: Shortfall | None = None
    stale: str = ""


def candidates(cores: int, devices: Iterable[str], files: Iterable[str]) -> tuple[Candidate, ...]:
    """All that could run here; `devices` beside the CPU, `files` as `precision` of a runtime: "openvino int8".

    The order is that of preference where speed does not decide.
    """
    found = [*_on_cpu(cores)]
    for device in devices:
        found += _on_accelerator(device)
    # What Postern builds serves in int8; what a site brought, in the form that it has.
    found += [each.model_copy(update={"precision": "own"}) for each in found if each.precision == "int8"]
    return tuple(each for each in found if f"{each.runtime} {each.precision}" in files)


def default_candidate(runtime: str, cores: int) -> Candidate:
    """How a runtime runs on the CPU when nothing was measured.

    ONNX Runtime gets one thread a pass and as many passes side by side: without spinning its threads wait for each
    other too long. Medians of five interleaved rounds on 2 shared cores: 676 against 578 short texts/s, 55 against
    45 chunks/s; a single text, alternating, in 4.4 against 5.7 ms.
    """
    return next(each for each in _on_cpu(cores) if each.runtime == runtime)


def geometric_mean(ms: Mapping[str, float]) -> float:
    """Of all buckets alike: a lone question counts as much as a full batch, and no unit of work is preferred."""
    return math.exp(sum(map(math.log, ms.values())) / len(ms)) if ms else math.inf


def fastest(rows: Sequence[Measured]) -> Measured | None:
    """The one to choose: the fastest, but for an earlier one that is nearly as fast."""
    timed = [row for row in rows if row.ms]
    if not timed:
        return None
    least = min(geometric_mean(row.ms) for row in timed)
    return next(row for row in timed if least / geometric_mean(row.ms) >= NEARLY_AS_FAST)


def explain(rows: Sequence[Measured]) -> tuple[Candidate, str, tuple[Measured, ...]]:
    """The choice, why, and the rows with a reason at every other. Raises ValueError where none passed."""
    best = fastest([row for row in rows if row.passed])
    if best is None:
        raise ValueError("no candidate passed")
    base = geometric_mean(best.ms)
    told = []
    for row in rows:
        if row.passed and row is not best and row.ms:
            row = row.model_copy(
                update={"reason": f"{geometric_mean(row.ms) / base:.2f} times the chosen one's time"}
            )
        told.append(row)
    passed = sum(row.passed for row in rows)
    why = f"{best.candidate.label}: the least time over {len(best.ms)} buckets of {passed} that passed"
    return best.candidate, why, tuple(told)


def stale_because(
    placement: Placement, files: Mapping[str, str], machine: Machine, hardware: Hardware
) -> str:
    """Why a record does not count for these; empty when it does. Memory may differ: no figure depends on it."""
    if any(placement.files.get(name) != digest for name, digest in files.items()):
        return "the model's files have changed"
    if placement.machine != machine:
        return "the processor or a runtime's version has changed"
    if placement.hardware.model_copy(update={"memory_gb": 0}) != hardware.model_copy(update={"memory_gb": 0}):
        return "a driver, an accelerator or the number of cores has changed"
    return ""


def plan(
    placement: Placement | None,
    stale: str,
    *,
    runtimes: Sequence[str],
    default: Candidate,
    device: str,
    missing: DeviceMissing | None,
) -> Plan:
    """What to open. `runtimes`: those allowed; `missing`: why the device asked for cannot be used, if it cannot.

    A record that is stale chooses nothing; it still tells what the missing device was worth.
    """
    allowed = DEVICES[device]
    valid = placement if placement and not stale else None
    within = ("CPU",) if missing else allowed
    found = valid.best_on(within, runtimes) if valid else None
    used = found.candidate if found else default
    if missing is None and (used.device in allowed):
        return Plan(used, stale=stale)
    if missing is None:
        missing = not_measured(device)
    slowdown = _slowdown(placement, allowed, used)
    detail = missing.detail if slowdown else f"{missing.detail} How fast it would be was never measured here."
    return Plan(used, Shortfall(device, missing.reason, detail, missing.remedy, slowdown), stale)


def not_measured(device: str) -> DeviceMissing:
    """The device is there, and nothing says that the model is right on it."""
    return DeviceMissing(
        "not_measured",
        f"The encoder has passed no check on the device {device!r} of this machine.",
        remedy="Run `postern models tune`; it says why, should the device fail.",
    )


def as_table(placement: Placement) -> str:
    """The record for people: what was chosen, and every candidate with its milliseconds a bucket."""
    lines = [
        f"{placement.model}: {placement.why}",
        "  (runtime, device, precision, passes×threads, shapes; the median time of a batch of ROWSxTOKENS)",
    ]
    for row in placement.measured:
        mark = "chosen" if row.candidate == placement.chosen else "passed" if row.passed else "dropped"
        figures = " ".join(f"{key} {ms:.1f} ms" for key, ms in row.ms.items())
        lines.append(f"  {mark:8}{row.candidate.label:40} {figures} {row.reason}".rstrip())
    return "\n".join(lines)


def read_placement(folder: Path) -> Placement | None:
    """The record, or None where there is none that can be read."""
    try:
        return Placement.model_validate_json((folder / PLACEMENT_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def write_placement(folder: Path, placement: Placement) -> None:
    """Write the record durably, in one step."""
    write_atomic(folder / PLACEMENT_FILE, placement.model_dump_json(indent=2).encode() + b"\n", _READABLE)


def current(folder: Path, files: Mapping[str, str]) -> tuple[Placement | None, str]:
    """The record of `folder`, and why it does not count here (empty: it does)."""
    placement = read_placement(folder)
    if placement is None:
        return None, "nothing was measured yet"
    return placement, stale_because(placement, files, this_machine(), this_hardware())


def _slowdown(placement: Placement | None, wanted: Sequence[str], used: Candidate) -> float:
    if placement is None:
        return 0.0
    runtimes = ("onnxruntime", "openvino")
    before = placement.best_on(wanted, runtimes)
    now = next((row for row in placement.measured if row.candidate == used and row.ms), None)
    now = now or placement.best_on(("CPU",), runtimes)
    if before is None or now is None:
        return 0.0
    common = before.ms.keys() & now.ms.keys()
    return geometric_mean({key: now.ms[key] / before.ms[key] for key in common}) if common else 0.0


def _on_cpu(cores: int) -> Sequence[Candidate]:
    def of(runtime: RuntimeId, precision: Precision, lanes: int, threads: int, shapes: Shapes) -> Candidate:
        return Candidate(
            runtime=runtime,
            device="CPU",
            precision=precision,
            threads=threads,
            lanes=lanes,
            shapes=shapes,
            pass_tokens=CPU_PASS_TOKENS,
        )

    found = [of("onnxruntime", "int8", cores, 1, "dynamic")]
    if cores > 1:
        found.append(of("onnxruntime", "int8", 1, cores, "dynamic"))
    found.append(of("openvino", "int8", 1, cores, "lengths"))
    # fp32 is worth a try on processors without int8 instructions, and the measure of what int8 is worth.
    found.append(of("onnxruntime", "fp32", cores, 1, "dynamic"))
    found.append(of("openvino", "fp32", 1, cores, "lengths"))
    return found


def _on_accelerator(device: str) -> Sequence[Candidate]:
    ways: Mapping[str, Sequence[tuple[RuntimeId, Precision, Shapes, int]]] = {
        "CUDA": [
            ("onnxruntime", "fp16", "graphs", PARALLEL_PASS_TOKENS),
            ("onnxruntime", "fp16", "static", PARALLEL_PASS_TOKENS),
            ("onnxruntime", "int8", "static", PARALLEL_PASS_TOKENS),
            ("onnxruntime", "fp32", "graphs", PARALLEL_PASS_TOKENS),
        ],
        "TENSORRT": [("onnxruntime", "fp32", "static", PARALLEL_PASS_TOKENS)],
        "GPU": [
            ("openvino", "fp16", "static", PARALLEL_PASS_TOKENS),
            ("openvino", "int8", "static", PARALLEL_PASS_TOKENS),
        ],
        "NPU": [
            ("openvino", "int8", "static", CPU_PASS_TOKENS),
            ("openvino", "fp16", "static", CPU_PASS_TOKENS),
        ],
    }
    return [
        Candidate(
            runtime=runtime,
            device=device,  # type: ignore[arg-type]
            precision=precision,
            threads=1,
            lanes=1,
            shapes=shapes,
            pass_tokens=tokens,
        )
        for runtime, precision, shapes, tokens in ways[device]
    ]
