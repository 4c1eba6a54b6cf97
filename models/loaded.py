"""What an encoder is made of and what is replaced together, and the passes that its texts go through."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from tokenizers import Encoding, Tokenizer

from models.catalog import EncoderShape
from models.detect.network import TAGGED_ENCODER, shipped
from models.detect.tagger import Tagged
from models.errors import LayersMissing, ModelError, ModelRefused, TaggerFailed
from models.passes import Row, pad, passes_for, passes_of
from models.placement import CPU_PASS_TOKENS
from models.runtimes.port import Floats, Ids, Runtime

if TYPE_CHECKING:
    from models.encoder import ModelInfo

log = logging.getLogger(__name__)

PASS_TOKENS_MAX: Final = CPU_PASS_TOKENS
"""Rows × padded length of one pass. Past it the activations fall out of the core's cache and every row costs more.

Measured as CPU time a row on 2 VNNI cores: questions of 18 tokens 3.1 ms in passes of 8, 5.2 ms in passes of 32;
chunks of 200 tokens 36 ms alone, 82 ms in passes of 16.
"""

PADDING_TOKENS_MAX: Final = 14
"""Tokens of padding that a further row may cost before a pass of its own is cheaper.

A pass takes 83 us a token and 1.2 ms by itself (CPU time of a core with AVX2 and VNNI, passes of 1 to 16 rows of 8 to
128 tokens), as much as 14 tokens.
"""


@dataclass(slots=True)
class Trouble:
    """Of a tagger. Passes share it without a lock: at worst a line is logged twice."""

    told: bool = False
    """It stands in the log: a line when it begins, not one a pass."""
    lasting: bool = False
    """It will not work while this model serves."""

    def add(self, error: ModelError) -> None:
        """A pass had no tags."""
        if not self.told:
            log.error("the tagger does not work", extra={"code": error.code})
        self.told = True
        self.lasting = isinstance(error, LayersMissing | ModelRefused)

    def end(self) -> None:
        """A pass had tags."""
        self.told = False


@dataclass(frozen=True)
class Loaded:
    """All that goes together and is replaced together."""

    tokenizer: Tokenizer
    runtime: Runtime
    lanes: ThreadPoolExecutor
    pass_tokens: int
    shape: EncoderShape
    info: ModelInfo
    trouble: Trouble = field(default_factory=Trouble)

    @property
    def name(self) -> str:
        """Of its runtime."""
        return self.runtime.name

    @property
    def device(self) -> str:
        """Where it runs now."""
        return self.runtime.device

    @property
    def tags(self) -> bool:
        """Whether the shipped tagger should read its layers; it may be broken."""
        return self.info.model == TAGGED_ENCODER

    def rows(self, pieces: Sequence[Encoding]) -> list[Row]:
        """As the model takes them in."""
        return [Row.of(piece, self.shape.max_tokens) for piece in pieces]

    def passes_for(self, lengths: list[int], groups: Sequence[int] | None = None) -> list[list[int]]:
        """How texts of so many tokens are put together."""
        # Whatever it was opened for: the CPU may stand in for a device that likes longer passes.
        on_cpu = self.runtime.device == "CPU"
        tokens_max = PASS_TOKENS_MAX if on_cpu else self.pass_tokens
        if groups is None:
            return passes_for(lengths, tokens_max, PADDING_TOKENS_MAX if on_cpu else tokens_max)
        return passes_of(groups, lengths, tokens_max)

    def close(self) -> None:
        """Free it."""
        self.lanes.shutdown()
        self.runtime.close()


def embed(
    model: Loaded,
    pieces: Sequence[Encoding],
    run_all: Callable[[Callable[[list[int]], None], list[list[int]]], None],
) -> tuple[Floats, list[int]]:
    """Vectors [n, dim] of tokenised texts, and the tokens of each. Raises RuntimeUnavailable."""
    rows = model.rows(pieces)
    embeddings = np.zeros((len(rows), model.shape.dim), np.float32)

    def run(chosen: list[int]) -> None:
        ids, mask = pad([rows[index] for index in chosen])
        embeddings[chosen], _ = model.runtime.run(ids, mask, want_states=False)

    run_all(run, model.passes_for([len(row.ids) for row in rows]))
    return embeddings, [row.length for row in rows]


def one_pass(
    model: Loaded,
    texts: Sequence[str],
    rows: Sequence[Row],
    chosen: Sequence[int],
    ids: Ids,
    mask: Ids,
    *,
    want_states: bool,
    want_tags: bool,
) -> tuple[Floats, Floats | None, list[Tagged] | None]:
    """Of the chosen rows: vectors, states and tags, or None for what is not wanted or cannot be had."""
    if not want_tags or not model.tags or model.trouble.lasting:
        return *model.runtime.run(ids, mask, want_states=want_states), None
    try:
        vectors, layers = model.runtime.run_layers(ids, mask)
        tags = shipped().tag([(texts[index], rows[index].offsets) for index in chosen], layers, mask)
    except (LayersMissing, ModelRefused, TaggerFailed) as error:
        # Whoever asked for the pass has it; without tags no finding is complete, and nothing leaves.
        model.trouble.add(error)
        return *model.runtime.run(ids, mask, want_states=want_states), None
    model.trouble.end()
    return vectors, layers[-1] if want_states else None, tags


def one_by_one(run: Callable[[list[int]], None], passes: list[list[int]]) -> None:
    """In the calling thread."""
    for chosen in passes:
        run(chosen)
