"""OpenVINO GenAI behind the `TextGenerator` port: a folder with model, tokenizer and detokenizer.

Text streams through a callback in the generating thread. Killing a hung call is not possible here: that is why the
worker is a process of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import openvino_genai

from models.errors import PromptTooLong, RuntimeUnavailable
from models.runtimes.port import Finish, GenerationResult, Message

_MARK: Final = "<|"
_HARMLESS_MARK: Final = "<\u200b|"
"""A text may not forge the marks between messages; a zero-width space keeps it readable and breaks them."""


CPU_SETTINGS: Final = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f16",
}
"""Measured in interleaved slices on a processor with VNNI (docs/adr/0024): bf16, the default there, is 13 % slower than
f32, whose activations OpenVINO quantises to int8 for 4-bit weights; the 8-bit KV cache, the default, saves nothing."""

LOOKUP_TOKENS, LOOKUP_NGRAM = 5, 3
"""Tokens guessed at once, after as many equal ones: what OpenVINO GenAI's own documentation begins with."""

_BLOCK_TOKENS: Final = 32
"""Of a block of the KV cache on the CPU."""

_PROMPTS_KEPT: Final = 1
"""Beside the one in hand: the part that prompts share (who the desk is) is not read again."""


class GenAiGenerator:
    """One pipeline on the CPU, its KV cache bounded by the context."""

    name = "openvino-genai"

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        context_tokens: int,
        device: str = "CPU",
        prompt_lookup: bool = False,
        fallback: str = "",
    ) -> None:
        """Load the model. `prompt_lookup`: guess tokens from the prompt, which pays where answers quote.

        Raises RuntimeUnavailable.
        """
        self.device = device
        self.context_tokens = context_tokens
        self.fallback = fallback
        self._lookup = prompt_lookup
        # No CACHE_DIR: measured, the compiled blob (129 MB) loads in 5.6 s, compiling the model takes 3.7 s.
        settings = {
            **CPU_SETTINGS,
            "INFERENCE_NUM_THREADS": threads,
            "scheduler_config": _scheduling(context_tokens),
        }
        if prompt_lookup:
            settings["prompt_lookup"] = True
        try:
            self._pipeline: Any = openvino_genai.LLMPipeline(str(folder), device, **settings)
            self._tokenizer: Any = self._pipeline.get_tokenizer()
        except Exception as error:
            raise RuntimeUnavailable(f"OpenVINO GenAI cannot load {folder.name}.") from error
        self._busy = threading.Lock()

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """See `TextGenerator.generate`. Raises PromptTooLong or RuntimeUnavailable."""
        with self._busy:
            if self._pipeline is None:
                raise RuntimeUnavailable("The language model is closed.")
            prompt = self.prompt(messages)
            prompt_tokens = len(self.tokens(prompt))
            if prompt_tokens + max_new_tokens > self.context_tokens:
                raise PromptTooLong(
                    f"{prompt_tokens} tokens and {max_new_tokens} new ones exceed {self.context_tokens}."
                )
            return self._run(prompt, prompt_tokens, max_new_tokens, on_text)

    def close(self) -> None:
        """Free the pipeline."""
        with self._busy:
            self._pipeline = self._tokenizer = None

    def prompt(self, messages: Sequence[Message]) -> str:
        """The messages as the model's own template writes them."""
        history = openvino_genai.ChatHistory(
            [{"role": each.role, "content": each.content.replace(_MARK, _HARMLESS_MARK)} for each in messages]
        )
        prompt: str = self._tokenizer.apply_chat_template(history, add_generation_prompt=True)
        return prompt

    def tokens(self, text: str) -> list[int]:
        """A text's tokens, by the model's own tokenizer."""
        return [int(token) for token in self._tokenizer.encode(text).input_ids.data[0]]

    def _run(
        self, prompt: str, prompt_tokens: int, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        settings = openvino_genai.GenerationConfig()
        settings.max_new_tokens = max_new_tokens
        settings.do_sample = False
        settings.apply_chat_template = False
        if self._lookup:
            settings.num_assistant_tokens, settings.max_ngram_size = LOOKUP_TOKENS, LOOKUP_NGRAM
        collector = _Collector(on_text)
        try:
            answer = self._pipeline.generate([prompt], settings, collector)
        except Exception as error:  # its message may quote what it choked on
            raise RuntimeUnavailable(f"OpenVINO GenAI failed ({type(error).__name__}).") from None
        if collector.error is not None:
            raise collector.error
        new_tokens = int(answer.perf_metrics.get_num_generated_tokens())
        reached = answer.finish_reasons[0] == openvino_genai.GenerationFinishReason.LENGTH
        finish: Finish = "stopped" if collector.stopped else "length" if reached else "stop"
        return GenerationResult("".join(collector.pieces), finish, prompt_tokens, new_tokens)


def _scheduling(context_tokens: int) -> Any:
    """One answer at a time; memory for it and for what is kept of the one before."""
    scheduling = openvino_genai.SchedulerConfig()
    blocks = -(-context_tokens // _BLOCK_TOKENS)
    scheduling.num_kv_blocks = (1 + _PROMPTS_KEPT) * blocks
    scheduling.max_num_seqs = 1
    scheduling.enable_prefix_caching = True
    return scheduling


class _Collector:
    """Passes text on and carries the caller's wish to stop, or its error, across the native call."""

    def __init__(self, on_text: Callable[[str], bool]) -> None:
        self.pieces: list[str] = []
        self.stopped = False
        self.error: Exception | None = None
        self._on_text = on_text

    def __call__(self, text: str) -> Any:
        status = openvino_genai.StreamingStatus
        if self.stopped:  # it hands over what it held back even then
            return status.CANCEL
        self.pieces.append(text)
        try:
            self.stopped = self._on_text(text)
        except Exception as error:
            self.error, self.stopped = error, True
        return status.CANCEL if self.stopped else status.RUNNING
