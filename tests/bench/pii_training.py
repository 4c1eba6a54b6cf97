"""Trains the tagger in an environment of its own, with PyTorch, and writes what is shipped: `models.recipes.tagger`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from safetensors.numpy import load_file

import models.adapters
from models.detect.network import SHIPPED
from models.recipes.tagger.export import export as as_shipped
from models.recipes.tagger.labels import TEMPERATURE
from tests.bench import harness
from tests.bench.harness import CACHE, REPOSITORY, progress
from tests.bench.peers import peer_python

MINUTES = 40.0
WEIGHTS = CACHE / "tagger.safetensors"


def train(minutes: float) -> None:
    """Fit for so long, and write models/adapters/tagger.onnx."""
    data = harness.data_file("pii", "presidio_frames_dev.jsonl").parents[1]
    progress(f"[pii] training for {minutes:.0f} minutes")
    command = [str(peer_python("tagger")), "-m", "models.recipes.tagger", str(WEIGHTS)]
    subprocess.run(
        [*command, "--data", str(data), "--minutes", str(minutes)],
        check=True,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    export(WEIGHTS)


def export(weights: Path) -> None:
    """The trained weights as the file that is shipped."""
    arrays = load_file(weights)
    temperature = float(arrays.pop(TEMPERATURE)[0])
    Path(models.adapters.__path__[0], SHIPPED).write_bytes(as_shipped(arrays, temperature))
