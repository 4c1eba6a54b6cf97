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


class GenAiGenerator:
    """One pipeline on the CPU."""

    name = "openvino-genai"

    def __init__(self, folder: Path, *, threads: int, context_tokens: int, device: str = "CPU") -> None:
        """Load the model. Raises RuntimeUnavailable."""
        self.device = device
        self.context_tokens = context_tokens
        # No CACHE_DIR: measured, the compiled blob (129 MB) loads in 5.6 s, compiling the model takes 3.7 s.
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
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
            prompt = self._prompt(messages)
            prompt_tokens = self._count(prompt)
            if prompt_tokens + max_new_tokens > self.context_tokens:
                raise PromptTooLong(
                    f"{prompt_tokens} tokens and {max_new_tokens} new ones exceed {self.context_tokens}."
                )
            return self._run(prompt, prompt_tokens, max_new_tokens, on_text)

    def close(self) -> None:
        """Free the pipeline."""
        with self._busy:
            self._pipeline = self._tokenizer = None

    def _prompt(self, messages: Sequence[Message]) -> str:
        history = openvino_genai.ChatHistory(
            [{"role": each.role, "content": each.content.replace(_MARK, _HARMLESS_MARK)} for each in messages]
        )
        prompt: str = self._tokenizer.apply_chat_template(history, add_generation_prompt=True)
        return prompt

    def _count(self, prompt: str) -> int:
        return int(self._tokenizer.encode(prompt).input_ids.shape[1])

    def _run(
        self, prompt: str, prompt_tokens: int, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        settings = openvino_genai.GenerationConfig()
        settings.max_new_tokens = max_new_tokens
        settings.do_sample = False
        settings.apply_chat_template = False
        collector = _Collector(on_text)
        try:
            answer = self._pipeline.generate([prompt], settings, collector)
        except Exception as error:
            raise RuntimeUnavailable(f"OpenVINO GenAI failed ({type(error).__name__}).") from error
        if collector.error is not None:
            raise collector.error
        new_tokens = int(answer.perf_metrics.get_num_generated_tokens())
        reached = answer.finish_reasons[0] == openvino_genai.GenerationFinishReason.LENGTH
        finish: Finish = "stopped" if collector.stopped else "length" if reached else "stop"
        return GenerationResult("".join(collector.pieces), finish, prompt_tokens, new_tokens)


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
