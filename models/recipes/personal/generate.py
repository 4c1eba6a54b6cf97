"""Sentences with invented personal data and its labels, drawn from frames and lists by a seed.

`python -m models.recipes.personal.generate N` prints N examples as JSON lines, to read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from random import Random
from statistics import quantiles

from models.detect.spans import Span
from models.recipes.personal import lists, noise
from models.recipes.personal.draw import Draw
from models.recipes.personal.frames import Frame, frames
from models.recipes.personal.lists import Origin, Place
from models.recipes.personal.noise import Piece
from models.recipes.personal.slots import value

# How often each language and shape is drawn, of those that have frames.
LANGUAGE_WEIGHTS = {"en": 20.0}
SHAPE_WEIGHTS = {
    "chat": 5.0,
    "spoken": 3.0,
    "form": 2.0,
    "letter": 1.5,
    "transcript": 1.5,
    "log": 1.0,
    "json": 1.0,
    "csv": 0.7,
    "prose": 4.0,
    "plain": 7.0,
}
# A sentence's places and names come from its own language's world this often, else from anywhere.
AT_HOME = 0.6
# A frame with a rare slot is drawn at most this many times as often as others.
RARE_MORE_MAX = 4.0


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence; `spans` are in order, apart, exact (score 1), `origin` is that of its first person."""

    text: str
    spans: tuple[Span, ...]
    language: str
    locale: str
    shape: str
    frame: str
    origin: str


def _all(_: str) -> bool:
    return True


def generate(
    count: int,
    *,
    seed: int,
    languages: Collection[str] | None = None,
    locales: Collection[str] | None = None,
    shapes: Collection[str] | None = None,
    origins: Collection[str] | None = None,
    frame_kept: Callable[[str], bool] = _all,
) -> Iterator[Example]:
    """`count` examples, the same ones for the same arguments; None takes all there are.

    `languages` are codes such as `en`; `locales` and `origins` names of files in the lists; what is left out never
    occurs. `frame_kept` says of a frame's text whether it may be used. A ValueError where nothing is left.
    """
    kept = _kept_frames(languages, shapes, frame_kept)
    if not kept:
        raise ValueError("no frames are left to draw from")
    rng = Random(seed)  # noqa: S311 - examples, not secrets
    world = _World.of(locales, origins)
    keys = tuple(kept)
    weights = [LANGUAGE_WEIGHTS.get(language, 1.0) * SHAPE_WEIGHTS[shape] for language, shape in keys]
    shares = _shares(kept)
    for key in rng.choices(keys, weights, k=count):
        (frame,) = rng.choices(kept[key], cum_weights=shares[key])
        yield _example(rng, frame, world)


def generate_from(
    frames: Sequence[Frame],
    count: int,
    *,
    seed: int,
    locales: Collection[str] | None = None,
    origins: Collection[str] | None = None,
) -> Iterator[Example]:
    """As `generate`, of these frames in turn."""
    rng = Random(seed)  # noqa: S311 - examples, not secrets
    world = _World.of(locales, origins)
    for number in range(count):
        yield _example(rng, frames[number % len(frames)], world)


class _World:
    """Locales and origins to draw from, and which belong together."""

    def __init__(self, places: tuple[Place, ...], origins: tuple[Origin, ...]) -> None:
        self.places, self.origins = places, origins
        self._by_name = {origin.name: origin for origin in origins}
        self._by_language: dict[str, tuple[Place, ...]] = {}

    @classmethod
    def of(cls, locales: Collection[str] | None, origins: Collection[str] | None) -> _World:
        """What is left of the lists. A ValueError where nothing is."""
        world = cls(
            tuple(p for name, p in lists.places().items() if locales is None or name in locales),
            tuple(o for name, o in lists.origins().items() if origins is None or name in origins),
        )
        if not world.places or not world.origins:
            raise ValueError("no locales or origins are left to draw from")
        return world

    def home(self, rng: Random, language: str) -> Place:
        """A locale, mostly one that speaks the language."""
        if language not in self._by_language:
            self._by_language[language] = (
                tuple(p for p in self.places if p.language == language) or self.places
            )
        return rng.choice(self._by_language[language] if rng.random() < AT_HOME else self.places)

    def names(self, rng: Random, home: Place) -> tuple[Origin, ...]:
        """The origins of a sentence's names: those at home in the locale, or one from anywhere."""
        own = [self._by_name[name] for name in home.origins if name in self._by_name]
        return tuple(own) if own and rng.random() < AT_HOME else (rng.choice(self.origins),)


def _kept_frames(
    languages: Collection[str] | None, shapes: Collection[str] | None, frame_kept: Callable[[str], bool]
) -> dict[tuple[str, str], tuple[Frame, ...]]:
    kept = {}
    for (language, shape), found in frames().items():
        wanted = (languages is None or language in languages) and (shapes is None or shape in shapes)
        left = tuple(frame for frame in found if wanted and frame_kept(frame.text))
        if left:
            kept[language, shape] = left
    return kept


def _shares(kept: Mapping[tuple[str, str], tuple[Frame, ...]]) -> dict[tuple[str, str], list[float]]:
    """Cumulative weights of the frames: those with a rare slot are drawn more often, so that no type starves."""
    found = Counter(slot for of_key in kept.values() for frame in of_key for slot in set(frame.parts[1::2]))
    usual = quantiles(found.values(), n=10)[-1] if len(found) > 1 else 1.0
    rarity = {slot: min(RARE_MORE_MAX, sqrt(max(1.0, usual / count))) for slot, count in found.items()}
    return {
        key: list(
            accumulate(max((rarity[slot] for slot in frame.parts[1::2]), default=1.0) for frame in of_key)
        )
        for key, of_key in kept.items()
    }


def _example(rng: Random, frame: Frame, world: _World) -> Example:
    home = world.home(rng, frame.language)
    origins = world.names(rng, home)
    draw = Draw(
        rng,
        frame.language,
        frame.shape,
        origins,
        (home, home, home, *rng.sample(world.places, min(2, len(world.places)))),
    )
    pieces = [Piece(frame.parts[0], None)]
    for slot, text in zip(frame.parts[1::2], frame.parts[2::2], strict=True):
        pieces += (Piece(*value(draw, slot)), Piece(text, None))
    noise.apply(rng, pieces, frame.shape)
    text, spans = _assemble(pieces)
    origin = draw.person.origin.name if draw.person else origins[0].name
    return Example(text, spans, frame.language, home.locale, frame.shape, frame.text, origin)


def _assemble(pieces: list[Piece]) -> tuple[str, tuple[Span, ...]]:
    """The text and its spans; a first and a last name side by side are one person."""
    spans: list[Span] = []
    parts: list[str] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        if piece.type is not None and piece.text:
            before = spans[-1] if spans else None
            if before and piece.type == before.type == "PERSON" and "".join(parts)[before.end :] == " ":
                spans[-1] = Span("PERSON", before.start, end, 1.0)
            else:
                spans.append(Span(piece.type, at, end, 1.0))
        parts.append(piece.text)
        at = end
    return "".join(parts), tuple(spans)


def main() -> None:
    """Examples as JSON lines on standard output."""
    for example in generate(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        spans = [[span.type, example.text[span.start : span.end]] for span in example.spans]
        print(
            json.dumps(
                {"text": example.text, "spans": spans, "language": example.language, "shape": example.shape},
                ensure_ascii=False,
            )
        )


if __name__ == "__main__":
    main()
