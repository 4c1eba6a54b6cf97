"""A folder that `postern models import` takes: a real encoder of a few kB, which looks at words alone, and its own
golden questions, which words alone answer. Changed step by step by the tests into what may not come in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from models.encoder import open_encoder

DIM = 128
NAME = "small-words"
NOUNS = (
    "haus",
    "auto",
    "brot",
    "wald",
    "berg",
    "fluss",
    "hund",
    "katze",
    "lampe",
    "tisch",
    "stuhl",
    "fenster",
)
WORDS = ("wo", "ist", "das", "kostet", "steht", "der", "preis", *NOUNS)

HEAD = f"""
kind = "encoder"
name = "{NAME}"
version = "1.0"
title = "Words alone"
licence = "Apache-2.0"
origin = "made by this test"
languages = ["de"]
golden = "golden.toml"

[shape]
dim = {DIM}
max_tokens = 64

[runtimes]
onnxruntime = "model.onnx"
"""


def small_graph(*, seed: int = 1, normalised: bool = True) -> onnx.ModelProto:
    """Each word a random direction, a text their sum."""
    table = np.random.default_rng(seed).standard_normal((len(WORDS) + 3, DIM)).astype(np.float32)
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "one")]
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["token_states"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "one"], ["row"]),
        node("MatMul", ["row", "token_states"], ["sum"]),
        node("Squeeze", ["sum", "one"], ["pooled" if normalised else "embedding"]),
    ]
    if normalised:
        nodes.append(node("LpNormalization", ["pooled"], ["embedding"], axis=-1, p=2))
    value = helper.make_tensor_value_info
    inputs = [value(name, TensorProto.INT64, ["b", "t"]) for name in ("input_ids", "attention_mask")]
    outputs = [
        value("embedding", TensorProto.FLOAT, ["b", DIM]),
        value("token_states", TensorProto.FLOAT, ["b", "t", DIM]),
    ]
    graph = helper.make_graph(nodes, "words", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def small_folder(folder: Path, *, head: str = HEAD, **graph: Any) -> Path:
    """The whole folder, its manifest in order."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(small_graph(**graph), folder / "model.onnx")
    vocabulary = {word: index for index, word in enumerate(("[PAD]", "[CLS]", "[SEP]", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    passages = "".join(f'{noun} = "der {noun} steht"\n' for noun in NOUNS)
    questions = "".join(f'{noun} = ["wo ist das {noun}", "preis {noun}"]\n' for noun in NOUNS)
    (folder / "golden.toml").write_text(f"[passages]\n{passages}[questions]\n{questions}", "utf-8")
    return manifest(folder, head)


def manifest(folder: Path, head: str = HEAD) -> Path:
    """Write the manifest anew, with the hashes of what lies there now."""
    paths = [path for path in sorted(folder.iterdir()) if path.name != "model.toml" and path.is_file()]
    lines = [f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n' for path in paths]
    (folder / "model.toml").write_text(f"{head}\n[files]\n{''.join(lines)}", "utf-8")
    return folder


def version_head(number: int) -> str:
    """The manifest's head, for another version."""
    return HEAD.replace('"1.0"', f'"{number}.0"')


def flip_byte(path: Path) -> None:
    """Damage a file as a failing disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def serves(models_dir: Path) -> str:
    """The hash of the file that serves from a models folder; it is opened, and answers."""
    encoder = open_encoder(models_dir, model=NAME)
    try:
        assert encoder.embed(["wo ist das haus"]).shape == (1, DIM)
        return encoder.info.sha256
    finally:
        encoder.close()
