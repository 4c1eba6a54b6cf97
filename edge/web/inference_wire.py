"""The Open Inference Protocol's messages for one model: texts in, vectors out. Pure.

https://kserve.github.io/website/latest/modelserving/data_plane/v2_protocol/ and, for tensors as bytes after the JSON,
Triton's binary tensor data extension. A BYTES element is a little-endian uint32 length and that many bytes of UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field

from edge.inference.embedding import Embedded
from edge.web.program_requests import INPUTS_MAX, RequestRefused, TooManyInputs, UnsupportedValue, parse

INPUT: Final = "text"
OUTPUT: Final = "embedding"
ID_CHARS_MAX: Final = 200

_LENGTH: Final = struct.Struct("<I")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _InputParameters(_Part):
    binary_data_size: Annotated[int, Field(ge=0)] | None = None


class _Input(_Part):
    name: str
    datatype: str
    shape: list[Annotated[int, Field(ge=0)]]
    parameters: _InputParameters = _InputParameters()
    data: list[Any] | None = None


class _OutputParameters(_Part):
    binary_data: bool = False


class _Output(_Part):
    name: str
    parameters: _OutputParameters = _OutputParameters()


class _Parameters(_Part):
    binary_data_output: bool = False


class InferBody(_Part):
    """POST /v2/models/{model}/infer, the part that is JSON."""

    id: Annotated[str, Field(max_length=ID_CHARS_MAX)] | None = None
    inputs: list[_Input]
    outputs: list[_Output] | None = None
    parameters: _Parameters = _Parameters()


@dataclass(frozen=True)
class Inference:
    """What is asked for. `binary`: the vectors as bytes after the JSON."""

    id: str | None
    texts: list[str]
    binary: bool


def read(raw: bytes, header_length: int | None) -> Inference:
    """A request. `header_length`: bytes of JSON before the tensors, None where all is JSON. Raises RequestRefused."""
    if header_length is not None and not 0 <= header_length <= len(raw):
        raise RequestRefused("Inference-Header-Content-Length is longer than the body.")
    body = parse(raw[:header_length], InferBody)
    tail = b"" if header_length is None else raw[header_length:]
    if len(body.inputs) != 1 or body.inputs[0].name != INPUT:
        raise UnsupportedValue(f"Send one input, named “{INPUT}”.", "inputs")
    texts = _texts(body.inputs[0], tail)
    outputs = body.outputs or [
        _Output(name=OUTPUT, parameters=_OutputParameters(binary_data=body.parameters.binary_data_output))
    ]
    if len(outputs) != 1 or outputs[0].name != OUTPUT:
        raise UnsupportedValue(f"There is one output, named “{OUTPUT}”.", "outputs")
    return Inference(body.id, texts, outputs[0].parameters.binary_data)


def write(wanted: Inference, model: str, version: str, found: Sequence[Embedded]) -> tuple[bytes, int | None]:
    """The answer's body, and the length of its JSON where the vectors follow as bytes."""
    vectors = np.stack([one.vector for one in found]).astype("<f4", copy=False)
    output: dict[str, object] = {"name": OUTPUT, "datatype": "FP32", "shape": list(vectors.shape)}
    tail = vectors.tobytes() if wanted.binary else b""
    if wanted.binary:
        output["parameters"] = {"binary_data_size": len(tail)}
    else:
        output["data"] = vectors.reshape(-1)
    answer = {"model_name": model, "model_version": version, "outputs": [output]}
    if wanted.id is not None:
        answer["id"] = wanted.id
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return head + tail, len(head) if wanted.binary else None


def metadata(model: str, version: str, dim: int) -> dict[str, object]:
    """What the model takes and gives; -1: as many as are sent."""
    return {
        "name": model,
        "versions": [version],
        "platform": "postern",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, dim]}],
    }


def _texts(tensor: _Input, tail: bytes) -> list[str]:
    """The elements of the input, whatever its shape says of rows: [n], or [n, 1] as many clients send it."""
    if tensor.datatype != "BYTES":
        raise UnsupportedValue(f"“{INPUT}” is of datatype BYTES.", "inputs")
    shape = tensor.shape
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise UnsupportedValue(f"“{INPUT}” has the shape [n] or [n, 1].", "inputs")
    if shape[0] > INPUTS_MAX:
        raise TooManyInputs(f"“{INPUT}” may have {INPUTS_MAX} texts; this one has {shape[0]}.", "inputs")
    size = tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None):
        raise RequestRefused(
            "Send the input's elements either in “data” or as bytes after the JSON.", "inputs"
        )
    texts = _of_data(tensor.data or []) if size is None else _of_bytes(tail, size)
    if len(texts) != shape[0]:
        raise RequestRefused(f"The shape says {shape[0]} texts; there are {len(texts)}.", "inputs")
    return texts


def _of_data(data: Sequence[object]) -> list[str]:
    """Elements of JSON: flat, or nested as the shape."""
    flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
    texts = [one for one in flat if isinstance(one, str)]
    if len(texts) != len(flat):
        raise RequestRefused("Each element of “data” is a text.", "inputs")
    return texts


def _of_bytes(tail: bytes, size: int) -> list[str]:
    """Elements of a binary tensor that fills `tail`."""
    if size != len(tail):
        raise RequestRefused("binary_data_size is not the number of bytes after the JSON.", "inputs")
    texts, at = list[str](), 0
    while at < size and len(texts) <= INPUTS_MAX:
        start = at + _LENGTH.size
        if start > size or (at := start + _LENGTH.unpack_from(tail, at)[0]) > size:
            raise RequestRefused("The binary tensor ends within an element.", "inputs")
        try:
            texts.append(tail[start:at].decode())
        except UnicodeDecodeError:
            raise RequestRefused(
                f"Element {len(texts)} of the binary tensor is not UTF-8.", "inputs"
            ) from None
    return texts
