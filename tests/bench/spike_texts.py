"""What customers ask in a spike: the sample site's own examples and questions, each wording once.

Which of them the documents answer is found out at the idle node (`spike.answerable`): whoever is sent to a human under
load was then let down by the load.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from itertools import product

from edge.site_setup import TEMPLATES
from tests.canaries import canary

TEMPLATE = "clinic"
SEED = 7
OPENERS = (
    "",
    "Hello, ",
    "Hi there, ",
    "Excuse me, ",
    "Good morning, ",
    "Good afternoon, ",
    "Sorry, ",
    "Please tell me, ",
    "Good evening, ",
    "One question: ",
    "A quick question: ",
    "Pardon me, ",
    "Hey, ",
    "Dear team, ",
    "Could you help me? ",
    "I would like to know: ",
)
CLOSERS = ("", " Thank you.", " Thanks!", " Many thanks.", " I am in a hurry.", " Just asking.")
# One in so many says something about themselves that must not leave as it is.
CANARY_EVERY = 8


def asked() -> list[str]:
    """Every example and every question of the template, in a fixed random order."""
    folder = TEMPLATES / TEMPLATE
    with (folder / "intents.csv").open(newline="", encoding="utf-8") as file:
        found = {row["text"].strip() for row in csv.DictReader(file)}
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    found |= {str(json.loads(line)["question"]) for line in lines}
    texts = sorted(found)
    random.Random(SEED).shuffle(texts)
    return texts


def wordings(texts: list[str]) -> Iterator[str]:
    """The texts, then each with other words before and after it: never one twice."""
    for closer, opener in product(CLOSERS, OPENERS):
        for text in texts:
            end = "" if not closer or text.endswith(("?", "!", ".")) else "."
            yield f"{opener}{text}{end}{closer}"


def with_canaries(texts: list[str]) -> list[str]:
    """Some of them with a mail address of the asker's, which a scan always finds and nothing but a scan takes out."""
    return [
        f"{text} Write to {canary(number).lower()}@example.org" if number % CANARY_EVERY == 0 else text
        for number, text in enumerate(texts)
    ]
