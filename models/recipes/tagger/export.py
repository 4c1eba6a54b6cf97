"""Trained weights → the file that is shipped, in eight bits."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import onnx

from models.recipes.bert_graph import Floats
from models.recipes.encoder import quantise
from models.recipes.tagger.graph import build_tagger
from models.recipes.tagger.labels import LABELS
from models.recipes.tagger.sizes import RUNGS

CAUTION: Final = 1.1
"""See `Labels.caution`; chosen on sentences of kept-out frames of our own and MultiDoGO's development files."""


def export(arrays: Mapping[str, Floats], temperature: float) -> bytes:
    """The file; `temperature` as `Labels` has it."""
    about = {"caution": CAUTION, "temperature": temperature}
    model = build_tagger(arrays, RUNGS, LABELS, about)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "tagger.onnx"), Path(folder, "tagger.int8.onnx")
        onnx.save(model, whole)
        # Seven bits are right on every processor, with VNNI or without: one file for all.
        quantise(whole, small, reduce_range=True)
        quantised = onnx.load(small)
    del quantised.metadata_props[:]
    quantised.metadata_props.extend(model.metadata_props)
    return bytes(quantised.SerializeToString())
