"""What one pass of an encoder says of the tokens of a text, and the port of whoever makes such passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tokens of one text, without the special ones.

    offsets  int32 [tokens, 2]; code points [start, end) of the text that was passed
    scores   float32 [tokens, labels]
    """

    offsets: npt.NDArray[np.int32]
    scores: Floats

    def within(self, start: int, end: int, at: int) -> Tagged:
        """The tokens inside [start, end), as those of a text in which `start` is at `at`."""
        inside = (self.offsets[:, 0] >= start) & (self.offsets[:, 1] <= end)
        return Tagged(self.offsets[inside] + np.int32(at - start), self.scores[inside])


@dataclass(frozen=True, slots=True)
class Passed:
    """One text of a pass. `tagged` None: this encoder has no tagger; `truncated`: the text's tail was not read.

    embedding  float32 [dim], L2-normalised
    """

    embedding: Floats
    tagged: Tagged | None
    truncated: bool = False


class Tagger(Protocol):
    """Blocking and thread-safe; every failure is an exception."""

    @property
    def complete(self) -> bool:
        """Whether passes have `tagged`, with the encoder that serves now."""
        ...

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        """One a text, in order. Raises RuntimeUnavailable."""
        ...
