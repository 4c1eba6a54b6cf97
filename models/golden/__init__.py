"""Golden sets: small texts of our own that a model must handle before it serves. No customer's words are in them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

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
    table = tomllib.loads((_FOLDER / "encoder.toml").read_text("utf-8"))
    names = list(table["passages"])
    questions = [(text, names.index(name)) for name, texts in table["questions"].items() for text in texts]
    return EncoderGolden(tuple(table["sentences"]), tuple(table["passages"].values()), tuple(questions))


@cache
def generator_golden() -> tuple[GeneratorCase, ...]:
    """The language model's golden set."""
    table = tomllib.loads((_FOLDER / "generator.toml").read_text("utf-8"))
    return tuple(
        GeneratorCase(row["context"], row["question"], tuple(row["any_of"])) for row in table["cases"]
    )
