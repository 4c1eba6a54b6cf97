"""The language model of this machine, as a turn asks for an answer: the worker, spoken to in messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from edge.inference.conversation import Message
from edge.inference.worker_client import WorkerClient


class OwnModel:
    """The worker. What it is asked stays on this machine."""

    def __init__(self, worker: WorkerClient, caller_of: Callable[[str], str] = str) -> None:
        """`caller_of`: a session's caller, who takes turns with others; else each session is one."""
        self._worker = worker
        self._caller_of = caller_of

    @property
    def ready(self) -> bool:
        """See `WorkerClient.ready`."""
        return self._worker.ready

    @property
    def first_text_s(self) -> float:
        """See `WorkerClient.first_text_s`."""
        return self._worker.first_text_s

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str = ""
    ) -> AsyncGenerator[str, None]:
        """See `WorkerClient.generate`."""
        spoken = [(message.role, message.text) for message in messages]
        return self._worker.generate(
            spoken,
            max_new_tokens=max_new_tokens,
            deadline_s=deadline_s,
            caller=self._caller_of(about),
        )
