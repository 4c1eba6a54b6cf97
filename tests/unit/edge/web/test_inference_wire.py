"""Messages of the Open Inference Protocol: what is read, what is written, and every way to be malformed."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from edge.inference.embedding import Embedded
from edge.web import inference_wire
from edge.web.program_requests import INPUTS_MAX, RequestRefused


def tensor(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def body(tail: bytes | None = None, **changed: Any) -> tuple[bytes, int | None]:
    """A request for two texts, as JSON or with a binary tensor."""
    given: dict[str, Any] = {"name": "text", "datatype": "BYTES", "shape": [2]}
    given |= {"data": ["a", "b"]} if tail is None else {"parameters": {"binary_data_size": len(tail)}}
    given |= changed
    head = json.dumps({"inputs": [given]}).encode()
    return (head, None) if tail is None else (head + tail, len(head))


@pytest.mark.parametrize(
    "request_",
    [
        body(),
        body(data=[["a"], ["b"]], shape=[2, 1]),
        body(tensor(b"a", b"b")),
        body(tensor(b"a", b"b"), shape=[2, 1]),
    ],
)
def test_two_texts(request_: tuple[bytes, int | None]) -> None:
    assert inference_wire.read(*request_).texts == ["a", "b"]


@pytest.mark.parametrize(
    "request_",
    [
        body(shape=[3]),
        body(shape=[2, 2]),
        body(shape=[1, 2, 1]),
        body(shape=[]),
        body(shape=[-1]),
        body(shape=[INPUTS_MAX + 1]),
        body(data=[1, 2]),
        body(data=[["a", "b"]]),
        body(data=None),
        body(datatype="FP32"),
        body(name="words"),
        body(parameters={"shared_memory_region": "x"}),
        body(tensor(b"a", b"b")[:-1]),
        body(tensor(b"a", b"b") + b"\x01"),
        body(tensor(b"a", b"b") + struct.pack("<I", 2**32 - 1)),
        body(tensor(b"a", b"\xff")),
        body(tensor(b"a", b"b"), parameters={"binary_data_size": 3}),
        body(tensor(b"a", b"b"), data=["a", "b"]),
        (b"{}", None),
        (b"", None),
        (b"[]", 5),
        (b"not json", None),
        (b'{"inputs": []}', None),
    ],
)
def test_malformed(request_: tuple[bytes, int | None]) -> None:
    with pytest.raises(RequestRefused):
        inference_wire.read(*request_)


@pytest.mark.parametrize("binary", [True, False])
def test_vectors_come_back_as_they_are(binary: bool) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    found = [Embedded(vector, 3, truncated=False) for vector in vectors]
    raw, head = inference_wire.write(inference_wire.Inference("x", ["a", "b"], binary), "m", "1", found)
    answer = json.loads(raw[:head])
    (output,) = answer["outputs"]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("m", "1", "x")
    assert (output["name"], output["datatype"], output["shape"]) == ("embedding", "FP32", [2, 3])
    if binary:
        assert output["parameters"]["binary_data_size"] == len(raw) - (head or 0) == 24
        assert np.frombuffer(raw[head:], "<f4").reshape(2, 3).tolist() == vectors.tolist()
    else:
        assert head is None
        assert np.float32(output["data"]).tolist() == vectors.reshape(-1).tolist()
