"""Does a text say of somebody what the law protects most? Health, religion, union, sexuality, politics, origin and the
rest of GDPR Art. 9, and convictions (Art. 10). Pure.

"My son has epilepsy" does, "do you treat epilepsy" does not. First rules on the words, in eight languages
(`special_rules.py`); then, for English, a small network on the embedding that the turn has anyway, and on the words.
The network adds and takes nothing away. Its weights ship as one file of arrays (models/adapters/special.npz, card in
models/cards/special.md). No text is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Self

from core.errors import PosternError
from models.detect.special_rules import Category, Lexicon, lexicon
from models.kind_network import Floats, KindNetwork
from models.words import pieces

SHIPPED = "special.npz"
# What the encoder reads: what it makes of other languages is chance.
MEANING_LANGUAGE = "en"
# How much surer the network must be of a text that mentions nobody ("is Marfan syndrome inherited?"). It claimed 45 of
# 1,500 questions about diseases (MedQuAD, others than judge); 43 of these mention nobody, one has a score above 3.
NOBODY_ABOVE = 3.0


class SpecialModelUnusable(PosternError):
    """Weights that do not fit this release."""

    code = "special_model_unusable"
    title = "The weights of the model for special categories do not fit this release"
    remedy = "Install the release again, or go back to the version before."
    status = 503


class SpecialModel:
    """Rules and network, compiled once; thread-safe."""

    def __init__(self, network: KindNetwork[Category], words: Lexicon) -> None:
        self._network = network
        self._words = words

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read what `KindNetwork.save` wrote. Raises SpecialModelUnusable."""
        try:
            return cls(KindNetwork[Category].read(content, Category), lexicon())
        except ValueError as error:
            raise SpecialModelUnusable(str(error)) from error

    @property
    def encoder(self) -> str:
        """Name of the encoder whose embeddings it reads; those of another must not be given to it."""
        return self._network.encoder

    def is_special(self, text: str, embedding: Floats | None = None) -> bool:
        """True if `text`, with its `embedding` float32 [dim] by `encoder`, says such a thing; by words only without."""
        return bool(self.categories(text, embedding))

    def categories(self, text: str, embedding: Floats | None = None) -> frozenset[Category]:
        """What `text` says about somebody; of what only the network finds, the likeliest."""
        said = pieces(text)
        found = self._words.categories(said)
        if found or embedding is None or not self._is_english(said):
            return found
        above = 0.0 if self._words.mentions_somebody(said, MEANING_LANGUAGE) else NOBODY_ABOVE
        kind = self._network.kind(embedding, network_words(said), above)
        return frozenset({kind}) if kind else found

    def _is_english(self, said: Sequence[str]) -> bool:
        """True if no other language has more of the words."""
        evidence = self._words.evidence(said)
        return evidence[MEANING_LANGUAGE] == max(evidence.values(), default=0)


def network_words(said: Sequence[str]) -> list[str]:
    """Those of the pieces of a text that the network reads: the words."""
    return [piece for piece in said if piece[0].isalpha()]


def shipped() -> SpecialModel:
    """The model that comes with this release. Raises SpecialModelUnusable."""
    return SpecialModel.load((files("models") / "adapters" / SHIPPED).read_bytes())
