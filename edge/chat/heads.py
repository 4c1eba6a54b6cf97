"""What ships with Postern and was fitted on one encoder's vectors: which of it serves beside another encoder. Pure.

Cosines of another encoder lie elsewhere, and its vectors may have other dimensions. There answers are chosen and judged
by their words, passages come in a plain order, and danger is found by the written rules alone (docs/adr/0028).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.chat.answers import model as answer_model
from edge.chat.answers.model import AnswerModel
from edge.knowledge import ranking
from edge.knowledge.ranking import RankingModel
from models.catalog import DEFAULT_ENCODER
from models.encoder import ModelInfo

COMPONENT: Final = "fitted_models"
REASON: Final = "other_encoder"
REMEDY: Final = (
    "Ask golden questions (postern examples add --golden) and see how it answers; postern learn fits what may be. "
    f"To go back: postern models use --site DIR {DEFAULT_ENCODER}."
)


@dataclass(frozen=True)
class Heads:
    """What chooses answers and orders passages where the site has learnt nothing of its own."""

    answers: AnswerModel
    ranking: RankingModel


def fit(encoder: str) -> bool:
    """Whether what ships was fitted on the encoder of this name."""
    return encoder == DEFAULT_ENCODER


def mark(encoder: ModelInfo) -> str:
    """How what a site learns says which encoder it belongs to; "": the one that Postern's own was fitted on."""
    return "" if fit(encoder.model) else encoder.space


def heads_for(encoder: ModelInfo, *, skims: bool) -> Heads:
    """`skims`: the site is too large for its sentences to be read. Raises AnswerModelUnusable, UnusableRanking."""
    if fit(encoder.model):
        return Heads(answer_model.shipped(skims=skims), ranking.shipped())
    return Heads(answer_model.shipped(skims=True).by_words(encoder.space), ranking.PLAIN)
