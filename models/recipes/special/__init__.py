"""What the network of `models/detect/special.py` learns from: sentences that we wrote, and frames with its words.

A sentence says something of a special category about somebody (`phrases/special.jsonl`), or tempts to think so and does
not (`phrases/ordinary.jsonl`). Every word that the rules know is put into frames of both sorts (`frames.toml`), so that
no word alone makes a text special. Some are two sentences: customers greet, ask and explain in one breath.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import models.detect
from models.detect.special_rules import Category
from models.recipes.kind_network import ORDINARY

FOLDER = Path(__file__).parent
WORDS = Path(models.detect.__path__[0]) / "special_words" / "en.toml"
# Health has ten times the words of any other category; without more frames for a word the others were drowned.
FRAMES_A_WORD = {category: 2 if category is Category.HEALTH else 5 for category in Category}
# Of two sentences, for each sort.
PAIRS = 500
SEED = 7
Labelled = tuple[str, str]


def written(sort: str) -> list[Labelled]:
    """The sentences of one sort, "special" or "ordinary", each with its category or ORDINARY."""
    lines = (FOLDER / "phrases" / f"{sort}.jsonl").read_text(encoding="utf-8").splitlines()
    return [(line["text"], line["category"]) for line in map(json.loads, lines)]


def examples() -> list[Labelled]:
    """All that the network learns from here, the same every time, each text once."""
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    special, ordinary = written("special"), written("ordinary")
    pairs = [_pair(chance, *chance.choice(special), chance.choice(ordinary)[0]) for _ in range(PAIRS)]
    plain = [_pair(chance, *chance.choice(ordinary), chance.choice(ordinary)[0]) for _ in range(PAIRS)]
    filled = list(_filled(chance))
    return list(
        {text: (text, label) for text, label in [*pairs, *plain, *filled, *ordinary, *special]}.values()
    )


def unsure() -> frozenset[str]:
    """Questions of strangers that are about the asker's own health or the like, so that "special" is right for them."""
    lines = (FOLDER / "unsure.jsonl").read_text(encoding="utf-8").splitlines()
    return frozenset(json.loads(line)["text"] for line in lines)


def _pair(chance: random.Random, text: str, label: str, other: str) -> Labelled:
    both = [text.rstrip("."), other.rstrip(".")]
    chance.shuffle(both)
    return chance.choice((". ", ", ", " ")).join(both), label


def _filled(chance: random.Random) -> Iterator[Labelled]:
    frames = tomllib.loads((FOLDER / "frames.toml").read_text(encoding="utf-8"))
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    sorts = {sort: [line for line in frames[sort].splitlines() if line] for sort in ("special", "ordinary")}
    for category in Category:
        for part in ("has", "is", "takes"):
            gap = f"{{{part}}}"
            for word in words[category][part].split():
                for sort, lines in sorts.items():
                    fitting = [
                        line for line in lines if gap in line or ("{has}" not in line and "{" not in line)
                    ]
                    for frame in chance.sample(fitting, min(FRAMES_A_WORD[category], len(fitting))):
                        text = frame.replace(gap, word.replace("_", " "))
                        yield _rest(chance, text, frames), category if sort == "special" else ORDINARY


def _rest(chance: random.Random, text: str, frames: Mapping[str, str]) -> str:
    for gap in ("kin", "need"):
        choices = frames[gap].strip().replace("\n", "").split("|")
        text = text.replace(f"{{{gap}}}", chance.choice([choice for choice in choices if choice]))
    return text
