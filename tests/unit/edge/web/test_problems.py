"""What a refusal says of a request: where it is wrong, and nothing of what somebody wrote."""

from __future__ import annotations

import json

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, ConfigDict

from edge.web.problems import BadRequest, read_body


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    more: list[Asked] = []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": 7}, "text: Input should be a valid string"),
        ({"text": "", "I am Anna Miller": 1}, "body: An unknown field"),
        ({"text": "", "more": [{"text": "", "Anna": 1}]}, "more.0: An unknown field"),
        ({}, "text: Field required"),
    ],
)
async def test_a_refusal_repeats_nothing_that_was_sent(body: object, said: str) -> None:
    request = make_mocked_request("POST", "/")
    request._read_bytes = json.dumps(body).encode()
    with pytest.raises(BadRequest) as refused:
        await read_body(request, Asked)
    assert refused.value.detail == said
