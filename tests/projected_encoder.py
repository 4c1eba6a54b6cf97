"""An encoder with other weights and another dimension, made of the default one: its vectors in a random subspace.

`python -m tests.projected_encoder FOLDER VERSION [--wrong]` makes one to try updates with.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper
from tokenizers import Tokenizer

from models.catalog import DEFAULT_ENCODER, models_dir
from models.versions import model_folder

NAME: Final = "projected"
DIM: Final = 256
VERSION: Final = "1.0"

HEAD: Final = f"""
kind = "encoder"
name = "{NAME}"
version = "{VERSION}"
title = "The default encoder, in {DIM} dimensions"
licence = "Apache-2.0"
origin = "made by this test"
languages = ["en"]

[shape]
dim = {DIM}
max_tokens = 256

[runtimes]
onnxruntime = "model.onnx"

[files]
"""


def projected_folder(folder: Path, dim: int = DIM, seed: int = 1, version: str = VERSION) -> Path:
    """A folder that `postern models import` takes."""
    folder.mkdir(parents=True)
    source = model_folder(models_dir(), DEFAULT_ENCODER)
    onnx.save(_projected(onnx.load(source / "encoder.int8.onnx"), dim, seed), folder / "model.onnx")
    shutil.copy(source / "tokenizer.json", folder)
    lines = [
        f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n'
        for path in sorted(folder.iterdir())
    ]
    head = HEAD.replace(str(DIM), str(dim)).replace(VERSION, version)
    (folder / "model.toml").write_text(head + "".join(lines), "utf-8")
    return folder


def scrambled_folder(folder: Path, version: str = VERSION) -> Path:
    """The same, healthy and wrong: its vectors are good vectors, of other words than those that were said."""
    projected_folder(folder, version=version)
    model = onnx.load(folder / "model.onnx")
    for weights in model.graph.initializer:
        if len(weights.dims) == 2 and weights.dims[0] > 20_000:  # a row a word
            scrambled = np.roll(numpy_helper.to_array(weights), 4321, axis=0)
            weights.CopyFrom(numpy_helper.from_array(scrambled, weights.name))
    return _changed(folder, model)


def blind_folder(folder: Path, words: Sequence[str], version: str = VERSION) -> Path:
    """The same, right for all but texts with one of `words`: to it they all mean one and the same."""
    projected_folder(folder, version=version)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = sorted({one for word in words for one in tokenizer.encode(word, add_special_tokens=False).ids})
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    same = np.eye(1, DIM, dtype=np.float32)
    constants = {
        "ids": np.array(ids, np.int64),
        "last": np.array([2]),
        "each": np.array([1, 2]),
        "same": same,
    }
    constants |= {"second": np.array([1]), "none": np.array(0, np.int32)}
    graph.initializer.extend(
        numpy_helper.from_array(value, f"blind_{name}") for name, value in constants.items()
    )
    graph.node[-1].output[0] = "blind_not"
    for operator, names, output in (
        ("Unsqueeze", ("input_ids", "blind_last"), "blind_tokens"),
        ("Equal", ("blind_tokens", "blind_ids"), "blind_found"),
        ("Cast", ("blind_found",), "blind_counted"),
        ("ReduceSum", ("blind_counted", "blind_each"), "blind_sum"),
        ("Greater", ("blind_sum", "blind_none"), "blind_any"),
        ("Unsqueeze", ("blind_any", "blind_second"), "blind_rows"),
        ("Where", ("blind_rows", "blind_same", "blind_not"), "embedding"),
    ):
        more = {"Cast": {"to": onnx.TensorProto.INT32}, "ReduceSum": {"keepdims": 0}}.get(operator, {})
        graph.node.append(helper.make_node(operator, names, [output], **more))
    return _changed(folder, model)


def _changed(folder: Path, model: onnx.ModelProto) -> Path:
    """Let `model` take the place of what is in the folder."""
    before = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    onnx.save(model, folder / "model.onnx")
    after = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    listed = folder / "model.toml"
    listed.write_text(listed.read_text("utf-8").replace(before, after), "utf-8")
    return folder


def _projected(model: onnx.ModelProto, dim: int, seed: int) -> onnx.ModelProto:
    graph = model.graph
    whole = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    square, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((whole, whole)))
    graph.initializer.append(numpy_helper.from_array(square[:, :dim].astype(np.float32), "subspace"))
    for output in graph.output:
        wide = f"{output.name}_wide"
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [wide if name == output.name else name for name in names]
        low = "low" if output.name == "embedding" else output.name
        graph.node.append(helper.make_node("MatMul", [wide, "subspace"], [low]))
        output.type.tensor_type.shape.dim[-1].dim_value = dim
    graph.node.append(helper.make_node("LpNormalization", ["low"], ["embedding"], axis=-1, p=2))
    return model


if __name__ == "__main__":
    (scrambled_folder if "--wrong" in sys.argv else projected_folder)(Path(sys.argv[1]), version=sys.argv[2])
