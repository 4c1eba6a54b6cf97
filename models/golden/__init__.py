"""Golden sets: small texts of our own that a model must handle before it serves. No customer's words are in them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from models.errors import ImportRefused

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class EncoderGolden:
    """Texts to compare two builds on, and questions whose passage is known by index."""

    sentences: tuple[str, ...]
    passages: tuple[str, ...]
    questions: tuple[tuple[str, int], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything, for the comparison of vectors."""
        return (*self.sentences, *self.passages, *(text for text, _ in self.questions))


@dataclass(frozen=True)
class GeneratorCase:
    """A question that the context answers, and the words of which one must appear."""

    context: str
    question: str
    any_of: tuple[str, ...]


@cache
def encoder_golden() -> EncoderGolden:
    """The encoder's golden set."""
    return read_encoder_golden(_FOLDER / "encoder.toml")


def read_encoder_golden(path: Path) -> EncoderGolden:
    """A golden set of that form, such as a site brings for another language. Raises ImportRefused."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        names = list(table["passages"])
        questions = [
            (str(text), names.index(name)) for name, texts in table["questions"].items() for text in texts
        ]
        passages = tuple(str(text) for text in table["passages"].values())
        golden = EncoderGolden(tuple(map(str, table.get("sentences", ()))), passages, tuple(questions))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImportRefused(f"{path.name} is no golden set.", remedy=_FORM) from error
    if len(golden.questions) < QUESTIONS_MIN or len(golden.passages) < PASSAGES_MIN:
        raise ImportRefused(
            f"{path.name} has {len(golden.questions)} questions and {len(golden.passages)} passages; "
            f"needed are {QUESTIONS_MIN} and {PASSAGES_MIN}.",
            remedy=_FORM,
        )
    return golden


QUESTIONS_MIN: Final = 20
PASSAGES_MIN: Final = 10
"""One question more or less right is then a twentieth, and chance finds a tenth."""

_FORM: Final = (
    "Write it as models/golden/encoder.toml is: [passages] name = text, [questions] name = [texts]."
)


@cache
def generator_golden() -> tuple[GeneratorCase, ...]:
    """The language model's golden set."""
    table = tomllib.loads((_FOLDER / "generator.toml").read_text("utf-8"))
    return tuple(
        GeneratorCase(row["context"], row["question"], tuple(row["any_of"])) for row in table["cases"]
    )
