"""How long the forms take: texts that make a detector work, and ordinary sentences. A part of the bench `pii`.

Times are this process's own processor time, so that neighbours count less.
"""

from __future__ import annotations

import base64
import random
import time
from functools import cache
from typing import Any

from models.detect.patterns import scan
from tests.bench.harness import percentile

SEED = 20_261_129
HOSTILE_CHARS = 65_536
# A text's share of the clock's own grain.
TIME_MS_MIN = 0.1


@cache
def hostile_texts(chars: int = HOSTILE_CHARS) -> dict[str, str]:
    """Texts of so many characters that make a detector work: what it must look at, over and over."""
    chance = random.Random(SEED)

    def fill(unit: str) -> str:
        return (unit * (chars // len(unit) + 1))[:chars]

    def digits(length: int) -> str:
        return "".join(chance.choices("0123456789", k=length))

    hidden = base64.b64encode(fill("4111 1111 1111 1111 ").encode()).decode()
    return {
        "digits": digits(chars),
        "digits apart": fill("1 "),
        "digits apart, at last two": f"{fill('1 ')[:-3]} 11",
        "digits and hyphens": fill("1-"),
        "digits and dots": fill("1."),
        "random groups": " ".join(digits(chance.randint(1, 9)) for _ in range(chars // 5))[:chars],
        "random signs": "".join(
            digits(chance.randint(1, 6)) + chance.choice(" -./() +") for _ in range(chars)
        )[:chars],
        "cards": fill("4111 1111 1111 1111 "),
        "telephones": " ".join(f"+49 30 {digits(7)}" for _ in range(chars // 14))[:chars],
        "days": fill("12/03/1981 "),
        "named": " ".join(f"nhs {digits(10)}" for _ in range(chars // 15))[:chars],
        "at": fill("@"),
        "at between": fill("a@"),
        "addresses": fill("ann.lee@example.org "),
        "dots": fill("."),
        "words and dots": fill("ab."),
        "hosts": fill("www."),
        "spaces": fill(" "),
        "colons": fill("ab:cd:"),
        "base64": base64.b64encode(fill("tell me more 123 ").encode()).decode()[:chars],
        "base64 of cards": hidden[:chars],
        "base64 pieces": fill("NDExMTExMTExMTEx "),
        "percent, nested": fill("%2525"),
        "percent of digits": fill("%31%20"),
        "zero-width": fill("\u200b"),
        "zero-width between": fill("1\u200b"),
        "look-alikes": fill("\u0430\u0435\u043e "),
        "numbers in words": fill("one double two "),
        "at and dot in words": fill("a at b dot "),
        "references": fill("&#49;"),
        "codes": fill("DE89 "),
        "capitals": fill("A 1 "),
    }


def hostile_text_times(rounds: int = 20) -> dict[str, Any]:
    """Milliseconds of processor time a text: the worst text's 99.9th percentile; growth from half the length to all."""
    whole, half = hostile_texts(), hostile_texts(HOSTILE_CHARS // 2)
    for text in whole.values():
        scan(text)  # libraries are loaded by the first text that needs them
    times: dict[str, list[float]] = {name: [] for name in whole}
    halves: dict[str, list[float]] = {name: [] for name in whole}
    for _ in range(rounds):
        for name in whole:
            times[name].append(_cpu_ms(whole[name]))
            halves[name].append(_cpu_ms(half[name]))
    worst = max(times, key=lambda name: percentile(times[name], 50))
    return {
        "p999_ms": max(percentile(times[name], 99.9) for name in times),
        "worst_median_ms": percentile(times[worst], 50),
        "worst": worst,
        "growth_worst": max(
            percentile(times[n], 50) / max(percentile(halves[n], 50), TIME_MS_MIN) for n in times
        ),
        "median_ms": {name: round(percentile(values, 50), 2) for name, values in times.items()},
    }


SENTENCES = {
    "without digits": "please tell me what opening hours of your office are on saturday after a holiday thank you",
    "with numbers": "room 214 at 9:30 on floor 3 costs 120 euros and order 4839201934 was paid on 3 March 2026",
    "with values": "my card 4111 1111 1111 1111 ends in 12/27, my phone is 617-555-0123, write to a@example.org",
}


def sentence_times(rounds: int = 2_000) -> dict[str, float]:
    """Median microseconds of processor time of a sentence of some twenty words."""
    times: dict[str, list[float]] = {name: [] for name in SENTENCES}
    for _ in range(rounds):
        for name, text in SENTENCES.items():
            times[name].append(_cpu_ms(text) * 1_000)
    return {name: round(percentile(values, 50), 1) for name, values in times.items()}


def _cpu_ms(text: str) -> float:
    before = time.process_time()
    scan(text)
    return (time.process_time() - before) * 1_000
