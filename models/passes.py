"""Tokenised texts as rows, and which of them go through a runtime together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from tokenizers import Encoding

from models.runtimes.port import Ids

_PAD_ID: Final = 0


@dataclass(frozen=True)
class Row:
    """One tokenised text, cut to what the model takes."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    length: int
    """Tokens before the cut."""

    @property
    def truncated(self) -> bool:
        """Whether its tail is missing."""
        return self.length > len(self.ids)

    @classmethod
    def of(cls, piece: Encoding, max_tokens: int) -> Row:
        """What the tokenizer made of a text, no longer than `max_tokens`."""
        ids, offsets = piece.ids, piece.offsets
        if len(ids) <= max_tokens:
            return cls(ids, offsets, len(ids))
        # Keep the closing token: the model has never seen a text without it.
        kept = max_tokens - 1
        return cls([*ids[:kept], ids[-1]], [*offsets[:kept], offsets[-1]], len(ids))


def passes_for(lengths: list[int], tokens_max: int, padding_max: int) -> list[list[int]]:
    """Indices by pass: like lengths together, each pass within `tokens_max` (a longer text goes alone).

    A row joins a pass as long as that pads the others by no more than `padding_max` tokens in all.
    """
    passes: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        rows = len(passes[-1]) if passes else 0
        if rows and (rows + 1) * length <= tokens_max and rows * (length - width) <= padding_max:
            passes[-1].append(index)
        else:
            passes.append([index])
        width = length
    return passes


def passes_of(groups: Sequence[int], lengths: list[int], tokens_max: int) -> list[list[int]]:
    """As `passes_for`, for each run of so many texts alone."""
    passes: list[list[int]] = []
    start = 0
    for size in groups:
        passes += [
            [start + index for index in chosen]
            for chosen in passes_for(lengths[start : start + size], tokens_max, tokens_max)
        ]
        start += size
    return passes


def pad(rows: Sequence[Row]) -> tuple[Ids, Ids]:
    """Ids and mask [rows, longest]."""
    width = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), width), _PAD_ID, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = row.ids
        mask[index, : len(row.ids)] = 1
    return ids, mask
