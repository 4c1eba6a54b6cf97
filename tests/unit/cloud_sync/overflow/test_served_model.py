"""A model's text to its callers: nothing that a runtime says of a prompt gets out, whatever fails and when."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from cloud_sync.overflow.served_completions import DONE, Answer, Asked
from cloud_sync.overflow.served_model import events, log_failure, said
from models.errors import PromptTooLong, RuntimeUnavailable
from models.runtimes.port import GenerationResult, Message
from models.runtimes.shielded import Shielded

CANARY = "canary-7f3"
WANTED = Asked((Message("user", CANARY),), 8, stream=True, include_usage=False)
Fails = Literal["", "native", "wrapped", "too_long"]


class Scripted:
    """Writes two pieces; fails behind them."""

    name, device, context_tokens, fallback = "scripted", "CPU", 64, ""

    def __init__(self, fails: Fails = "") -> None:
        self.fails = fails

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        for piece in ("a", "b"):
            on_text(piece)
        match self.fails:
            case "native":
                raise ValueError(messages[0].content)
            case "wrapped":
                try:
                    raise ValueError(messages[0].content)
                except ValueError as error:
                    raise RuntimeUnavailable("It failed.") from error
            case "too_long":
                raise PromptTooLong
        return GenerationResult("ab", "stop", 3, 2)

    def close(self) -> None:
        """Nothing to free."""


@pytest.mark.parametrize(
    ("fails", "error"),
    [("native", RuntimeUnavailable), ("wrapped", RuntimeUnavailable), ("too_long", PromptTooLong)],
)
async def test_no_error_quotes_the_prompt_not_even_in_its_traceback(
    fails: Fails, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        [piece async for piece in said(Shielded(Scripted(fails)), WANTED)]
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("fails", ["native", "wrapped", "too_long"])
@pytest.mark.parametrize("shielded", [True, False])
async def test_a_stream_that_fails_ends_without_its_end(
    fails: Fails, shielded: bool, caplog: pytest.LogCaptureFixture
) -> None:
    model = Scripted(fails)
    pieces = said(Shielded(model) if shielded else model, WANTED)
    sent = b"".join([event async for event in events(Answer("m"), await anext(pieces), pieces, WANTED)])
    assert b'"b"' in sent
    assert DONE not in sent
    assert b'finish_reason":"' not in sent
    assert "an answer failed" in caplog.text
    assert CANARY not in caplog.text


async def test_one_that_does_not_is_whole() -> None:
    pieces = said(Shielded(Scripted()), WANTED)
    sent = b"".join([event async for event in events(Answer("m"), await anext(pieces), pieces, WANTED)])
    assert sent.endswith(DONE)


def test_of_a_failure_its_code_or_its_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log_failure(PromptTooLong(CANARY))
    log_failure(ValueError(CANARY))
    assert PromptTooLong.code in caplog.text
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text
