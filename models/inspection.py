"""What of a model's files may come in: nothing that can run code of its own, nothing that reaches outside its folder.

Refused by name: pickles, whatever they are called (reading one runs it), libraries, graphs with operators that our
runtimes do not bring themselves, and ONNX external data anywhere but in the files that the manifest lists.
Reads files, runs none of them and loads no runtime.
"""

from __future__ import annotations

import itertools
import pickletools
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final
from xml.parsers import expat

from models.errors import ImportRefused

_PICKLED: Final = frozenset(
    {
        ".pkl",
        ".pickle",
        ".pt",
        ".pth",
        ".ckpt",
        ".joblib",
        ".jbl",
        ".dill",
        ".npy",
        ".npz",
        ".mar",
        ".h5",
        ".keras",
    }
)
"""Formats that are pickles, hold them, or may (PyTorch, joblib, NumPy's objects, Keras' lambdas)."""

_LIBRARIES: Final = frozenset(
    {".so", ".dll", ".dylib", ".pyd", ".py", ".pyc", ".exe", ".sh", ".jar", ".wasm"}
)
_LIBRARY_HEADS: Final = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!/")
"""ELF, Mach-O (three forms) and scripts, whatever the file is called; PE has a mark of two bytes, see `_is_pe`."""

_ARCHIVES: Final = (b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""zip (PyTorch's own format is one), gzip, bzip2, xz, zstd: what is inside was not looked at."""

_OPCODES: Final = 64
"""So many opcodes of a pickle in a row, or its end, are no chance: weights end by the third."""

_PE_POINTER: Final = 0x3C
"""Where a PE file says where its second mark is."""

GGUF_HEAD: Final = b"GGUF"
_HEAD_BYTES: Final = 8

KNOWN_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that ONNX Runtime brings itself; any other domain needs a library of the model's own."""

GRAPH_BYTES_MAX: Final = 2**31 - 1
"""A protobuf message cannot be larger; what is, is no ONNX file."""
TOKENIZER_BYTES_MAX: Final = 64 * 2**20
"""Four times that of the largest vocabulary in use (XLM-R: 17 MB)."""
XML_BYTES_MAX: Final = 256 * 2**20
"""The graph of a language model of 8 billion parameters is some 5 MB."""

_TOKENIZER_GRAPHS: Final = frozenset({"openvino_tokenizer.xml", "openvino_detokenizer.xml"})
_EXTENSION: Final = "extension"
"""Version of the operators of openvino-tokenizers, a library that is installed with Postern."""


def check_name(name: str, listed: Collection[str]) -> None:
    """Whether a file of that name may come in beside those `listed`. Raises ImportRefused."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _PICKLED:
        raise ImportRefused(
            f"{name}: {suffix} files can hold pickles, which run code when they are read.", remedy=_SAFE
        )
    if suffix in _LIBRARIES or ".so." in name:
        raise ImportRefused(f"{name} is a program or a library; a model may bring no code.", remedy=_SAFE)
    if suffix == ".bin" and f"{name[: -len(suffix)]}.xml" not in listed:
        raise ImportRefused(
            f"{name}: a .bin file without the .xml of the same name is no OpenVINO model, and may be a pickle.",
            remedy=_SAFE,
        )


_SAFE: Final = "Bring the model as ONNX, OpenVINO IR or GGUF (and its weights as safetensors are not needed)."


def check_head(path: Path) -> None:
    """Whether a file's first bytes are those of a pickle, an archive or a library. Raises ImportRefused, OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(_LIBRARY_HEADS) or _is_pe(file, head):
            raise ImportRefused(
                f"{path.name} is a program or a library; a model may bring no code.", remedy=_SAFE
            )
        if head.startswith(_ARCHIVES):
            raise ImportRefused(f"{path.name} is an archive; pickles may be in it.", remedy=_SAFE)
        if path.suffix not in _OTHERWISE_CHECKED and _is_pickle(file):
            raise ImportRefused(f"{path.name} is a pickle, which runs code when it is read.", remedy=_SAFE)


_OTHERWISE_CHECKED: Final = frozenset({".onnx", ".xml", ".json", ".gguf", ".toml", ".md", ".txt"})
"""Their readers take nothing but what they are for; a text can begin like an old pickle."""


def _is_pe(file: IO[bytes], head: bytes) -> bool:
    if not head.startswith(b"MZ"):
        return False
    file.seek(_PE_POINTER)
    file.seek(int.from_bytes(file.read(4), "little"))
    return file.read(4) == b"PE\0\0"


def _is_pickle(file: IO[bytes]) -> bool:
    """Protocols 0 and 1 have no mark, so opcodes are followed, none of them run."""
    file.seek(0)
    seen = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of texts with escapes that mean nothing
            for opcode, _, _ in itertools.islice(pickletools.genops(file), _OPCODES):
                seen += 1
                if opcode.name == "STOP":
                    return True
    except Exception:
        return False
    return seen == _OPCODES


def check_onnx(path: Path, listed: Collection[str]) -> None:
    """A graph of known operators whose data is in itself or in files `listed` beside it. Raises ImportRefused."""
    import onnx

    if path.stat().st_size > GRAPH_BYTES_MAX:
        raise ImportRefused(f"{path.name} is larger than an ONNX file can be; use external data.")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as error:
        raise ImportRefused(f"{path.name} is no ONNX file ({type(error).__name__}).") from error
    unknown = sorted({node.domain for node in _nodes(model)} - KNOWN_DOMAINS)
    if unknown:
        raise ImportRefused(
            f"{path.name} needs operators of {', '.join(unknown)}, which come with a library of their own.",
            remedy="Export the model with standard operators only.",
        )
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _check_location(path, tensor, listed)


def check_encoder_graph(path: Path, dim: int) -> None:
    """Whether an ONNX graph takes and gives what our port does; says all that is missing. Raises ImportRefused."""
    import onnx

    graph = onnx.load_model(path, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {
        value.name: value.type.tensor_type.elem_type for value in graph.input if value.name not in weights
    }
    outputs = {value.name: value for value in graph.output}
    wrong = [f"input {name} (int64)" for name in ENCODER_INPUTS if inputs.get(name) != onnx.TensorProto.INT64]
    wrong += [f"no input {name}" for name in sorted(inputs.keys() - set(ENCODER_INPUTS))]
    for name, rank in ENCODER_OUTPUTS.items():
        found = outputs.get(name)
        sizes = list(found.type.tensor_type.shape.dim) if found else []
        if not found or len(sizes) not in {0, rank} or (sizes and sizes[-1].dim_value not in {0, dim}):
            wrong.append(f"output {name} (float32, {rank} dimensions, the last of {dim})")
    if wrong:
        raise ImportRefused(f"{path.name} needs: {'; '.join(wrong)}.", remedy=_PORT)


ENCODER_INPUTS: Final = ("input_ids", "attention_mask")
ENCODER_OUTPUTS: Final = {"embedding": 2, "token_states": 3}
"""Name and number of dimensions: [batch, dim], L2-normalised, and [batch, tokens, dim]."""
_PORT: Final = (
    "Export the model with pooling and L2 norm inside, so that it gives embedding and token_states "
    'from input_ids and attention_mask: docs/operations.md, "A model of your own".'
)


def _check_location(path: Path, tensor: Any, listed: Collection[str]) -> None:
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    plain = PurePosixPath(location)
    if plain.is_absolute() or ".." in plain.parts or "\\" in location or ":" in location:
        raise ImportRefused(f"{path.name} keeps data outside its folder: {location!r}.", remedy=_INSIDE)
    if str(plain) not in listed:
        raise ImportRefused(
            f"{path.name} keeps data in {location!r}, which [files] does not list.", remedy=_INSIDE
        )


_INSIDE: Final = "Save the model's external data in one file beside it, and list that file with its hash."


def _nodes(model: Any) -> Iterator[Any]:
    """Every node, those of nested graphs and of functions, too."""
    stack = [model.graph, *model.functions]
    while stack:
        for node in stack.pop().node:
            yield node
            for attribute in node.attribute:
                stack += [attribute.g, *attribute.graphs]


def _tensors(model: Any) -> Iterator[Any]:
    """Every constant, wherever a graph may keep one."""
    graphs = [model.graph]
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += [attribute.g, *attribute.graphs]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def check_ir(path: Path, ports: Collection[str] = ()) -> None:
    """An OpenVINO graph of operators that OpenVINO brings itself, with tensors of those names. Raises ImportRefused."""
    if path.stat().st_size > XML_BYTES_MAX:
        raise ImportRefused(f"{path.name} has over {XML_BYTES_MAX // 2**20} MB: that is no OpenVINO graph.")
    foreign: set[str] = set()
    names: set[str] = set()

    def on_start(tag: str, values: dict[str, str]) -> None:
        names.update(values.get("names", "").split(",") if tag == "port" else ())
        if tag == "layer" and not _is_known(path.name, values.get("version", "")):
            foreign.add(f"{values.get('type', '?')} ({values.get('version', '?')})")

    def on_doctype(*_: object) -> None:
        raise ImportRefused(f"{path.name} declares entities; no OpenVINO graph does.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = on_start, on_doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise ImportRefused(f"{path.name} is no OpenVINO graph.") from error
    if missing := [name for name in ports if name not in names]:
        wrong = [f"{'input' if name in ENCODER_INPUTS else 'output'} {name}" for name in missing]
        raise ImportRefused(f"{path.name} needs: {'; '.join(wrong)}.", remedy=_PORT)
    if foreign:
        raise ImportRefused(
            f"{path.name} needs operators that OpenVINO does not bring: {', '.join(sorted(foreign))}."
        )


def _is_known(name: str, version: str) -> bool:
    known = version.startswith("opset") and version.removeprefix("opset").isdigit()
    return known or (version == _EXTENSION and name in _TOKENIZER_GRAPHS)


def check_gguf(path: Path) -> None:
    """Raises ImportRefused."""
    with path.open("rb") as file:
        if file.read(len(GGUF_HEAD)) != GGUF_HEAD:
            raise ImportRefused(f"{path.name} is no GGUF file.")


def check_tokenizer(path: Path) -> None:
    """A tokenizer that the library reads, with a mark at both ends of a text. Raises ImportRefused."""
    from tokenizers import Tokenizer

    if path.stat().st_size > TOKENIZER_BYTES_MAX:
        raise ImportRefused(f"{path.name} has over {TOKENIZER_BYTES_MAX // 2**20} MB.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ImportRefused(f"{path.name} is no tokenizer of the tokenizers library.") from error
    marks = tokenizer.num_special_tokens_to_add(is_pair=False)
    if marks != 2:
        raise ImportRefused(
            f"{path.name} puts {marks} marks around a text; needed is one before it and one behind it.",
            remedy="Keep the post-processor in tokenizer.json, as BERT and XLM-RoBERTa have it.",
        )


def check_served(runtime: str, name: str) -> None:
    """Whether a runtime reads files of that kind. Raises ImportRefused."""
    suffix = PurePosixPath(name).suffix
    if suffix not in (_READS[runtime]):
        raise ImportRefused(f"runtimes.{runtime}: {name} is not {' or '.join(_READS[runtime])}.")


_READS: Final = {"onnxruntime": (".onnx",), "openvino": (".onnx", ".xml")}
