"""Scores of tokens → spans of values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from models.detect.spans import Span, in_word
from models.detect.tagger import Floats, Tagged

FAR: Final = 5.0
"""Logits by which a label may fall short of a token's best and still be weighed: e^-5 is less than a per cent."""

BESIDE: Final = 1.5
"""Logits that a value pays for beginning right behind another: names are often cut in two, and seldom side by side."""


@dataclass(frozen=True)
class Labels:
    """What the columns of `scores` mean. `names`: "O", then "B-TYPE" and "I-TYPE" in turn (Ramshaw and Marcus 1995)."""

    names: tuple[str, ...]
    caution: float = 0.0
    """How much less likely "nothing" is held than the network says, in logits: a miss costs more than a false alarm."""
    temperature: float = 1.0
    """What logits are divided by, so that a score of .8 is right eight times in ten (Guo et al. 2017)."""

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The type of each pair of columns."""
        return tuple(name[2:] for name in self.names[1::2])


def decode(labels: Labels, text: str, tagged: Tagged) -> list[Span]:
    """The values in `text`, in order, apart, each of whole words."""
    scores = tagged.scores / labels.temperature
    nothing = scores[:, 0] - labels.caution
    likeliest = scores[:, 1:].max(axis=1, initial=-np.inf)
    maybe = np.flatnonzero(likeliest > nothing - FAR)
    if not (likeliest > nothing).any():
        return []
    likely = 1.0 - _share_of_nothing(scores)
    runs: list[_Run] = []
    for first, last in _stretches(maybe):
        path = _best_path(scores[first:last], nothing[first:last], _glued(text, tagged.offsets[first:last]))
        for token, label in enumerate(path, start=first):
            if label:
                _extend(runs, label, tagged.offsets[token], float(likely[token]))
    return _spans(text, runs, labels.types)


def _stretches(tokens: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Runs [first, last) of tokens side by side: between them there is nothing, whatever is decided in them."""
    breaks = np.flatnonzero(np.diff(tokens) > 1)
    starts, ends = [0, *(breaks + 1)], [*breaks, len(tokens) - 1]
    for start, end in zip(starts, ends, strict=True):
        yield int(tokens[start]), int(tokens[end]) + 1


def _glued(text: str, offsets: npt.NDArray[np.int32]) -> list[bool]:
    """Of each token, whether it goes on the word of the one before: pieces of a word are of one value."""
    return [
        start > 0 and in_word(text[start - 1]) and in_word(text[start]) for start in map(int, offsets[:, 0])
    ]


def _best_path(scores: Floats, nothing: Floats, glued: Sequence[bool]) -> list[int]:
    """The labels of a stretch that are likeliest together (Viterbi 1967).

    A value goes on only as what it began as, and never changes within a word; one that begins right behind another pays
    for it.
    """
    best_of_token = np.maximum(nothing, scores[:, 1:].max(axis=1))
    within = (scores[:, 1:] > best_of_token[:, None] - FAR).any(axis=0)
    kinds = np.flatnonzero(within.reshape(-1, 2).any(axis=1))
    begin, go_on = scores[:, 2 * kinds + 1].tolist(), scores[:, 2 * kinds + 2].tolist()
    out, inside = 0.0, [-np.inf] * len(kinds)
    back: list[tuple[int, list[int]]] = []
    for token, none in enumerate(nothing.tolist()):
        best = max(range(len(kinds)), key=inside.__getitem__)
        behind, from_kind = inside[best] - BESIDE, best + 1
        entry, came = (out, 0) if out >= behind else (behind, from_kind)
        leave, left = (out, 0) if out >= inside[best] else (inside[best], from_kind)
        if glued[token]:  # within a word: what it was, or nothing as before
            entry = -np.inf if token else 0.0
            leave, left = out, 0
        stays = list[int]()
        for kind in range(len(kinds)):
            new, old = entry + begin[token][kind], inside[kind] + go_on[token][kind]
            stays.append(kind + 1 if old >= new else -came - 1)
            inside[kind] = max(old, new)
        out = leave + none
        back.append((left, stays))
    return _walk_back(back, out, inside, kinds)


def _walk_back(
    back: Sequence[tuple[int, list[int]]], out: float, inside: Sequence[float], kinds: npt.NDArray[np.intp]
) -> list[int]:
    """Labels from the last token to the first, then turned round."""
    best = max(range(len(inside)), key=inside.__getitem__)
    state = best + 1 if inside[best] > out else 0
    path = list[int]()
    for left, stays in reversed(back):
        if state == 0:
            path.append(0)
            state = left
            continue
        came = stays[state - 1]
        label = 2 * int(kinds[state - 1])
        path.append(label + 2 if came > 0 else label + 1)
        state = came if came > 0 else -came - 1
    return path[::-1]


def _extend(runs: list[_Run], label: int, offsets: npt.NDArray[np.int32], likely: float) -> None:
    kind, goes_on = divmod(label - 1, 2)
    start, end = int(offsets[0]), int(offsets[1])
    if goes_on and runs:
        runs[-1].end = end
        runs[-1].likely.append(likely)
    else:
        runs.append(_Run(kind, start, end, [likely]))


@dataclass(slots=True)
class _Run:
    """Tokens of one value."""

    kind: int
    start: int
    end: int
    likely: list[float]


def _spans(text: str, runs: Sequence[_Run], types: Sequence[str]) -> list[Span]:
    """Runs stretched to whole words; two that meet so are one."""
    spans: list[Span] = []
    for run in runs:
        start, end = _whole_words(text, run.start, run.end)
        score = round(sum(run.likely) / len(run.likely), 4)
        if spans and start < spans[-1].end:
            before = spans[-1]
            spans[-1] = Span(before.type, before.start, max(before.end, end), max(before.score, score))
        elif any(character.isalnum() for character in text[start:end]):
            spans.append(Span(types[run.kind], start, end, score))
    return spans


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Stretched over letters, their accents, and digits that touch its ends."""
    while 0 < start < len(text) and in_word(text[start - 1]) and in_word(text[start]):
        start -= 1
    while 0 < end < len(text) and in_word(text[end]) and in_word(text[end - 1]):
        end += 1
    return start, end


def _share_of_nothing(scores: Floats) -> Floats:
    """float32 [tokens]: softmax, first column."""
    highest = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - highest)
    share: Floats = powers[:, 0] / powers.sum(axis=1)
    return share
