"""A small language with known intents, and vectors for it: what the tests of intents train on."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import numpy.typing as npt

from edge.chat.intents.examples import Example

DIM = 32
_SUBJECTS = {
    "opening_hours": ["when are you open", "opening times", "how late can I come", "are you open on"],
    "parking": ["where can I park", "is there a car park", "parking for", "what does parking cost on"],
    "lost_card": ["I lost my card", "my card was stolen", "card is gone since", "cannot find my card"],
    "appointment": ["book an appointment", "see a doctor", "change my appointment", "make a booking for"],
}
_ENDINGS = [
    "please",
    "today",
    "tomorrow",
    "on Monday",
    "on Sunday",
    "now",
    "next week",
    "thanks",
    "at night",
    "soon",
]


def examples(seed: int = 1) -> list[Example]:
    """160 different utterances of four intents, shuffled."""
    found = [
        Example(f"{start} {end}", intent)
        for intent, starts in _SUBJECTS.items()
        for start in starts
        for end in _ENDINGS
    ]
    random.Random(seed).shuffle(found)
    return found


def embeddings(found: list[Example], noise: float = 0.6) -> npt.NDArray[np.float32]:
    """A unit vector near its intent's own for each example; the same for the same text."""
    rows = [_noise(example.intent) + noise * _noise(example.text) for example in found]
    matrix = np.stack(rows)
    unit: npt.NDArray[np.float32] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit.astype(np.float32)


def _noise(text: str) -> npt.NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    vector = np.random.default_rng(seed).normal(size=DIM)
    scaled: npt.NDArray[np.float64] = vector / np.linalg.norm(vector)
    return scaled
