"""`python -m tests.gpu.encoder [--device CUDA|CPU] [--seconds N]`: the encoder's paths on one device, as a table.

Each candidate (fp16, int8, fp32; captured graphs or not) is held against the fp32 reference on the golden set and timed
by rows and tokens of a batch, beside sentence-transformers on the same GPU where that is installed; watts where
nvidia-smi tells. The table is Markdown, for docs/performance.md, with versions and device above it.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import PosternError
from models.catalog import encoder_entry, models_dir
from models.errors import ModelError
from models.evaluate import compare_encoders, encoder_shortfalls
from models.gates import golden_of, reference_vectors
from models.loading import HALF_FILE, forms
from models.machine import this_machine, usable_cpus
from models.placement import candidates
from models.probe import check_device, this_hardware
from models.recipes.files import FP32_FILE
from models.recipes.half import make_half
from models.records import model_folder
from models.tune import open_candidate

BATCHES = ((1, 16), (32, 16), (1, 128), (32, 128))
SECONDS = 1.0  # of each cell of the table


@dataclass(frozen=True)
class Row:
    """One line: texts a second by `ROWSxTOKENS`, and the accuracy beside the reference."""

    label: str
    cosine_min: float
    texts_per_s: dict[str, float]
    watts: float | None
    problem: str = ""


def measure(device: str, seconds: float = SECONDS, batches: Sequence[tuple[int, int]] = BATCHES) -> list[Row]:
    """Every candidate of `device`. Raises DeviceMissing where there is none."""
    check_device(device)
    entry, folder = encoder_entry(), model_folder(models_dir(), encoder_entry().name)
    if device == "CUDA" and not (folder / HALF_FILE).is_file():
        make_half(folder / FP32_FILE, folder / HALF_FILE)
    golden = golden_of(entry, folder)
    expected = reference_vectors(entry, folder, golden.texts)
    there = [name for name, file in forms(entry).items() if (folder / file).is_file()]
    rows = []
    for candidate in candidates(usable_cpus(), [] if device == "CPU" else [device], there):
        if candidate.device != device:
            continue
        try:
            encoder = open_candidate(entry, folder, candidate)
            figures = compare_encoders(expected, encoder.embed(golden.texts), golden)
            speeds = {key: _speed(encoder.embed, texts, seconds) for key, texts in _texts(batches).items()}
            problem = "; ".join(encoder_shortfalls(figures, entry.gate))
            rows.append(Row(candidate.label, figures.cosine_min, speeds, _watts(), problem))
            encoder.close()
        except ModelError as error:
            rows.append(Row(candidate.label, float("nan"), {}, None, error.detail))
    return rows


def peer(seconds: float, batches: Sequence[tuple[int, int]] = BATCHES) -> Row:
    """sentence-transformers on the same GPU, from its own cache of the same weights."""
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

        model = SentenceTransformer("all-MiniLM-L6-v2", device="cuda", local_files_only=True)
    except Exception as error:
        return Row("sentence-transformers", float("nan"), {}, None, f"not here ({type(error).__name__})")
    speeds = {key: _speed(model.encode, texts, seconds) for key, texts in _texts(batches).items()}
    return Row("sentence-transformers", 1.0, speeds, _watts())


def table(rows: Sequence[Row]) -> str:
    """For a person, and for docs/performance.md; what is not known is a dash."""
    keys = list(dict.fromkeys(key for row in rows for key in row.texts_per_s))
    cells = [["runtime device precision passes×threads shapes", *keys, "least cosine", "W", "problem"]]
    for row in rows:
        speeds = [f"{row.texts_per_s[key]:.0f}" if key in row.texts_per_s else "-" for key in keys]
        cosine = "-" if math.isnan(row.cosine_min) else f"{row.cosine_min:.4f}"
        watts = "-" if row.watts is None else f"{row.watts:.0f}"
        cells.append([row.label, *speeds, cosine, watts, row.problem or "-"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(row, widths) for row in cells)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _texts(batches: Sequence[tuple[int, int]]) -> dict[str, list[str]]:
    return {f"{rows}x{tokens}": ["room " * (tokens - 2)] * rows for rows, tokens in batches}


def _speed(embed: Callable[[list[str]], object], texts: list[str], seconds: float) -> float:
    """Texts a second: the median call, warm."""
    embed(texts)
    taken, began = [], time.perf_counter()
    while not taken or time.perf_counter() - began < seconds:
        started = time.perf_counter()
        embed(texts)
        taken.append(time.perf_counter() - started)
    return len(texts) / statistics.median(taken)


def _watts() -> float | None:
    """Right after the load: the driver averages over the last second."""
    if shutil.which("nvidia-smi") is None:
        return None
    ask = ["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(ask, capture_output=True, text=True, timeout=10).stdout.split()[0])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return None


def main() -> int:
    """Print the machine and the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="CUDA", choices=("CUDA", "TENSORRT", "CPU"))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    wanted = parser.parse_args()
    try:
        rows = measure(wanted.device, wanted.seconds)
    except PosternError as error:
        print(f"{error.detail}\n{error.remedy}\nThe processor's own rows: --device CPU", file=sys.stderr)
        return int(error.exit_code)
    hardware = this_hardware()
    gpus = ", ".join(hardware.nvidia_gpus) or "no NVIDIA GPU"
    print(f"{this_machine().cpu}, {hardware.cores} cores; {gpus}, driver {hardware.nvidia_driver or '-'}")
    versions = {**this_machine().runtimes, **hardware.cuda_libraries}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print("Texts a second by ROWSxTOKENS of a batch; the median call, one caller.\n")
    print(table(rows if wanted.device == "CPU" else [*rows, peer(wanted.seconds)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
