"""A site's own evidence model as bytes: the question's part of the answer model, tied to the rest of it. Pure.

Its features are scores that the shipped parts give; with another release's parts they would mean something else.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from edge.chat.answers.features import QUESTION_FEATURES
from edge.chat.answers.model import AnswerModel, AnswerModelUnusable, Linear


def to_bytes(base: AnswerModel, question: Linear) -> bytes:
    """`question`, refitted on what the other parts of `base` give."""
    return json.dumps({"base": fingerprint(base), "question": question.to_json()}).encode()


def from_bytes(content: bytes, base: AnswerModel) -> Linear:
    """Read `to_bytes`. Raises AnswerModelUnusable when it is damaged or belongs to another release."""
    try:
        value = json.loads(content)
        of, question = value["base"], json.dumps(value["question"]).encode()
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerModelUnusable("The weights cannot be read.") from error
    if of != fingerprint(base):
        raise AnswerModelUnusable(
            "What this site learnt belongs to another release.",
            remedy="Learn again: postern learn --site DIR",
        )
    return Linear.from_json(question, QUESTION_FEATURES)


def fingerprint(base: AnswerModel) -> str:
    """What all parts but the question's are, as a hash."""
    digest = hashlib.sha256(json.dumps(base.sentence.to_json(), sort_keys=True).encode())
    tokens = base.tokens
    met = np.array([tokens.need_bias, tokens.met_from], np.float64)
    for part in (tokens.share, tokens.need, met, base.directions):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(base.encoder.encode())
    return digest.hexdigest()
