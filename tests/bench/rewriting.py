"""A question in other letters: what fingers, manners and spelling make of it. Pure rules; the seed is fixed.

Not a paraphrase: the words and their order stay, so that whatever answers the question as written has no excuse to miss
the rewritten one. Digits are never touched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

SEED = 20_260_901
# A slip in a shorter word makes another word of it ("form", "from").
SLIP_LETTERS_MIN = 5
WORD = re.compile(r"[A-Za-z]+")
# Words that carry no topic: a slip in one of them tests nothing.
# fmt: off
FUNCTION_WORDS = frozenset({
    "about", "after", "again", "before", "being", "could", "does", "during", "every", "first",
    "from", "have", "here", "many", "much", "must", "should", "since", "their", "there", "these",
    "they", "this", "those", "under", "until", "what", "when", "where", "which", "while", "will",
    "with", "would", "your",
})
# fmt: on
MANNERS = (
    "Hello! {}",
    "Excuse me. {}",
    "Sorry to bother you. {}",
    "Hi, I have a question. {}",
    "{} Thank you!",
)
# British to American, word by word.
AMERICAN = {
    "anaesthetic": "anesthetic",
    "centre": "center",
    "cheque": "check",
    "cheques": "checks",
    "colour": "color",
    "enrol": "enroll",
    "flat": "apartment",
    "licence": "license",
    "mum": "mom",
    "programme": "program",
    "practise": "practice",
    "queue": "line",
    "recognise": "recognize",
}

Chance = random.Random
Rule = Callable[[str, Chance], str]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text, and the name of the rule that made it."""

    text: str
    rule: str


def rewrite(text: str, name: str) -> Rewritten:
    """`text` under one rule, chosen by the question's name: the first in a fixed shuffle that changes anything."""
    chance = random.Random(f"{SEED} {name}")
    rules = list(RULES)
    chance.shuffle(rules)
    for rule in rules:
        changed = RULES[rule](text, chance)
        if changed != text:
            return Rewritten(changed, rule)
    raise ValueError(f"No rule changes {name}.")


def swapped(text: str, chance: Chance) -> str:
    """Two neighbouring letters inside a content word change places."""
    return _slip(text, chance, lambda word, at: word[:at] + word[at + 1] + word[at] + word[at + 2 :])


def dropped(text: str, chance: Chance) -> str:
    """A letter inside a content word is missing."""
    return _slip(text, chance, lambda word, at: word[:at] + word[at + 1 :])


def doubled(text: str, chance: Chance) -> str:
    """A letter inside a content word comes twice."""
    return _slip(text, chance, lambda word, at: word[: at + 1] + word[at:])


def polite(text: str, chance: Chance) -> str:
    """A greeting, an excuse or thanks around it."""
    return chance.choice(MANNERS).format(text)


def lower(text: str, _: Chance) -> str:
    """No capitals."""
    return text.lower()


def unmarked(text: str, _: Chance) -> str:
    """No question mark at the end."""
    return text.removesuffix("?")


def american(text: str, _: Chance) -> str:
    """American spellings and words."""
    return WORD.sub(lambda found: AMERICAN.get(found[0], found[0]), text)


def _slip(text: str, chance: Chance, slip: Callable[[str, int], str]) -> str:
    """`slip` at a letter inside one content word, never its first or last; the text itself where there is none."""
    words = [found for found in WORD.finditer(text) if _carries(found[0])]
    if not words:
        return text
    found = chance.choice(words)
    return (
        text[: found.start()] + slip(found[0], chance.randrange(1, len(found[0]) - 2)) + text[found.end() :]
    )


def _carries(word: str) -> bool:
    return len(word) >= SLIP_LETTERS_MIN and word.lower() not in FUNCTION_WORDS


RULES: dict[str, Rule] = {
    "swapped": swapped,
    "dropped": dropped,
    "doubled": doubled,
    "polite": polite,
    "lower": lower,
    "unmarked": unmarked,
    "american": american,
}
