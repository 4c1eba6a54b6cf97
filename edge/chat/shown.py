"""What has been shown of an answer, sentence by sentence. Pure.

Where another model goes on after a cut it writes from the answer's beginning: what stands there already is not shown
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.chat.answers.choosing import Citation, cite
from edge.chat.claims import Claims
from edge.chat.grounding import Floats, Verdict

SENTENCES_MAX: Final = 4
"""Asked for three; what a model adds beyond one more is padding."""

REPEAT_COSINE: Final = 0.85
"""From here on two sentences of one source with the same values say the same. On the default encoder twelve pairs that
say one thing in other words have 0.77 to 0.96 (two below this), ten pairs that say two things 0.33 to 0.84: rather a
thing said twice than one left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence that passed its check. `vector` float32 [dim]; None where the encoder has no say."""

    text: str
    vector: Floats | None
    verdict: Verdict


class Shown:
    """One answer, as far as it is shown."""

    def __init__(self) -> None:
        self._sentences: list[Sentence] = []
        self._earlier = 0
        self._said = False

    @property
    def full(self) -> bool:
        """Whether it has as many sentences as an answer may have."""
        return len(self._sentences) >= SENTENCES_MAX

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(sentence.text for sentence in self._sentences)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What bears it out, each once."""
        found = (source for sentence in self._sentences for source in sentence.verdict.sources)
        return tuple(dict.fromkeys(cite(source.passage, source.quote) for source in found))

    @property
    def whole(self) -> bool:
        """Whether whoever wrote last has said anything of it."""
        return self._said

    def begin(self) -> None:
        """Another model writes from here on."""
        self._earlier, self._said = len(self._sentences), False

    def take(self, sentence: Sentence) -> str:
        """The piece of text that shows one more; nothing for what a model before has said.

        What one says twice itself is another matter.
        """
        self._said = True
        if any(_same(sentence, earlier) for earlier in self._sentences[: self._earlier]):
            return ""
        self._sentences.append(sentence)
        return f" {sentence.text}" if len(self._sentences) > 1 else sentence.text


def _same(one: Sentence, other: Sentence) -> bool:
    """The same source, the same values and days, denied or not, and near in meaning; without vectors the same words."""
    if one.text.casefold() == other.text.casefold():
        return True
    a, b = Claims(one.text), Claims(other.text)
    if _source(one) != _source(other) or (a.values, a.days, a.denies) != (b.values, b.days, b.denies):
        return False
    if one.vector is None or other.vector is None or one.vector.shape != other.vector.shape:
        return a.words == b.words
    return bool(one.vector @ other.vector >= REPEAT_COSINE)


def _source(sentence: Sentence) -> list[tuple[int, int]]:
    return [(source.passage.chunk_id, source.number) for source in sentence.verdict.sources]
