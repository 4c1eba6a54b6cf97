"""What a question means, where rules on its words said nothing: a small network on its embedding and its words. Pure.

The second stage of the check: it can only add a card, never take one away. Ships as one file of arrays
(models/adapters/safety.npz, card in models/cards/safety.md).
"""

from __future__ import annotations

from importlib.resources import files
from typing import Self

from core.errors import PosternError
from edge.chat.safety.kind import Kind
from models.kind_network import KindNetwork

SHIPPED = "safety.npz"


class SafetyModelUnusable(PosternError):
    """Weights that do not fit this release."""

    code = "safety_model_unusable"
    title = "The weights of the safety model do not fit this release"
    remedy = "Install the release again, or go back to the version before."
    status = 503


class SafetyModel(KindNetwork[Kind]):
    """A score for each kind of danger, and for each kind of question that a professional must answer."""

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read `save`. Raises SafetyModelUnusable."""
        try:
            return cls.read(content, Kind)
        except ValueError as error:
            raise SafetyModelUnusable(str(error)) from error


def shipped() -> SafetyModel:
    """The model that comes with this release. Raises SafetyModelUnusable."""
    return SafetyModel.load((files("models") / "adapters" / SHIPPED).read_bytes())
