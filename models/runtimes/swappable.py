"""A loaded model that can be replaced while it is asked: composites that obey the ports of `port`.

Whoever is at it keeps the model that it began with; who comes next has the new one; the old one is closed after its
last use. Nobody waits, and nobody is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, Protocol, TypeVar

from models.runtimes.port import GenerationResult, Message, TextGenerator

log = logging.getLogger(__name__)


class _Model(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    def close(self) -> None: ...


_T = TypeVar("_T", bound=_Model)


class _Slot(Generic[_T]):
    """One model and how many are at it; `retired` once it is to be closed after its last use."""

    def __init__(self, model: _T) -> None:
        self.model = model
        self.users = 0
        self.retired = False


class Swappable(Generic[_T]):
    """One model at a time."""

    def __init__(self, model: _T) -> None:
        self._slot = _Slot(model)
        self._lock = threading.Lock()

    @property
    def model(self) -> _T:
        """The one that whoever comes next will have."""
        return self._slot.model

    @property
    def name(self) -> str:
        """Of the one that serves."""
        return self.model.name

    @property
    def device(self) -> str:
        """Of the one that serves."""
        return self.model.device

    def swap(self, model: _T) -> Callable[[], None]:
        """Let `model` serve from the next call on. Quick and thread-safe.

        Call what is returned: it closes the old one, now or after its last use. That may take its time, so it is no
        part of the change itself, and its failure is told but does not undo it.
        """
        with self._lock:
            old, self._slot = self._slot, _Slot(model)
        return partial(self._retire, old)

    def _retire(self, slot: _Slot[_T]) -> None:
        with self._lock:
            slot.retired = True
            idle = not slot.users
        if idle:
            _close(slot.model)

    def close(self) -> None:
        """Free the model; a later use is the model's own error."""
        self._slot.model.close()

    @contextmanager
    def use(self) -> Iterator[_T]:
        """The model, which stays open for as long; whoever leaves a retired one last closes it."""
        with self._lock:
            slot = self._slot
            slot.users += 1
        try:
            yield slot.model
        finally:
            with self._lock:
                slot.users -= 1
                last = slot.retired and not slot.users
            if last:
                _close(slot.model)


def _close(model: _Model) -> None:
    """Of one that does not serve any more: whoever closes it has nothing to do with its failure."""
    try:
        model.close()
    except Exception:
        log.exception("a model that serves no more could not be closed")


class SwappableGenerator(Swappable[TextGenerator]):
    """See `TextGenerator`. Two models take memory for as long as the old one's last answer is being written."""

    @property
    def context_tokens(self) -> int:
        """Of the one that serves."""
        return self.model.context_tokens

    @property
    def fallback(self) -> str:
        """Of the one that serves."""
        return self.model.fallback

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """See `TextGenerator.generate`. Raises what the model raises."""
        with self.use() as model:
            return model.generate(messages, max_new_tokens=max_new_tokens, on_text=on_text)
