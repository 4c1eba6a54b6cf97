"""The Open Inference Protocol behind a real node, through Triton's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.running import RunningNode, command

pytestmark = [pytest.mark.models, pytest.mark.slow]

MODEL = "all-minilm-l6-v2"
TEXTS = ["When are you open?", "Where may I park?", "Wo ist die Straßenbahn?"]


@pytest.fixture(scope="module")
def key(node: RunningNode) -> str:
    """A key for inference."""
    words = ("api-keys", "new", "triton", "--site", str(node.site), "--scope", "inference", "--json")
    made = asyncio.run(command(*words))
    return str(made["key"])


@pytest.fixture
def headers(key: str) -> dict[str, str]:
    """Of one test: the client writes into what it is given."""
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def client(node: RunningNode) -> Iterator[triton.InferenceServerClient]:
    made = triton.InferenceServerClient(node.url.removeprefix("http://"))
    yield made
    made.close()


def text_input(texts: list[str], *, binary: bool = True, rows: bool = False) -> triton.InferInput:
    shape = [len(texts), 1] if rows else [len(texts)]
    made = triton.InferInput("text", shape, "BYTES")
    return made.set_data_from_numpy(np.array(texts, dtype=object).reshape(shape), binary_data=binary)


def words_input() -> triton.InferInput:
    """An input of another name."""
    return triton.InferInput("words", [1], "BYTES").set_data_from_numpy(np.array(["x"], object))


def test_health_and_metadata(client: triton.InferenceServerClient, headers: dict[str, str]) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert not client.is_model_ready("another")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    about = client.get_model_metadata(MODEL, headers=headers)
    assert about["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert about["outputs"] == [{"name": "embedding", "datatype": "FP32", "shape": [-1, 384]}]
    assert client.get_model_metadata(MODEL, about["versions"][0], headers=headers) == about
    assert client.is_model_ready(MODEL, about["versions"][0])


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_vectors_by_json_and_by_bytes(
    client: triton.InferenceServerClient, headers: dict[str, str], binary_in: bool, binary_out: bool | None
) -> None:
    """`binary_out` None: no output is named, as the client does by default."""
    outputs = (
        None if binary_out is None else [triton.InferRequestedOutput("embedding", binary_data=binary_out)]
    )
    found = client.infer(
        MODEL, [text_input(TEXTS, binary=binary_in)], outputs=outputs, headers=headers, request_id="seven"
    )
    vectors = found.as_numpy("embedding")
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert found.get_response()["id"] == "seven"
    assert ("parameters" in found.get_output("embedding")) == (binary_out is not False)


def test_rows_of_one_text(client: triton.InferenceServerClient, headers: dict[str, str]) -> None:
    found = client.infer(MODEL, [text_input(TEXTS, rows=True)], headers=headers)
    assert found.as_numpy("embedding").shape == (3, 384)


@pytest.mark.parametrize(
    ("model", "make", "said"),
    [
        ("another", lambda: text_input(TEXTS), "This node serves all-minilm-l6-v2"),
        (
            MODEL,
            lambda: triton.InferInput("text", [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32)),
            "BYTES",
        ),
        (
            MODEL,
            lambda: triton.InferInput("words", [1], "BYTES").set_data_from_numpy(np.array(["x"], object)),
            "one input",
        ),
        (MODEL, lambda: text_input([""]), "is empty"),
        (MODEL, lambda: text_input(["word " * 600]), "reads 256 tokens"),
    ],
)
def test_refusals_in_the_protocols_form(
    client: triton.InferenceServerClient, headers: dict[str, str], model: str, make: Any, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said):
        client.infer(model, [make()], headers=headers)


def test_without_a_key_or_beyond_what_is_served(
    client: triton.InferenceServerClient, headers: dict[str, str]
) -> None:
    with pytest.raises(InferenceServerException, match="API key is not accepted") as refused:
        client.infer(MODEL, [text_input(TEXTS)])
    assert refused.value.status() == "401"
    with pytest.raises(InferenceServerException, match="no such route"):
        client.get_model_repository_index(headers=headers)


async def test_a_header_length_that_is_none(node: RunningNode, headers: dict[str, str]) -> None:
    url = f"{node.url}/v2/models/{MODEL}/infer"
    async with aiohttp.ClientSession(headers=headers) as http:
        for length in ("x", "-1", "99", "9999999999"):
            sent = {"Inference-Header-Content-Length": length}
            async with http.post(url, data=b"{}", headers=sent) as response:
                assert response.status == 400
