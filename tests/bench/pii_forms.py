"""Values with a form: how many with a checksum are found, and how many business numbers are taken for one.

A part of the bench `pii`; alone it prints what its functions and those of `pii_hostile` give:

    python -m tests.bench.pii_forms [--json]

Values are made by second implementations (`second_checks`, `pii_values`), business numbers by the templates below and
found in MedQuAD, where it is.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.detect.patterns import scan
from models.detect.spans import Span
from tests.bench import harness
from tests.bench.harness import BenchRefused, Report, data_file, progress, share_interval
from tests.bench.pii_hostile import hostile_text_times, sentence_times
from tests.bench.pii_values import BARE, KINDS, NAMED, Kind

SEED = 20_261_129
SECONDS = 60.0
# Of a weak type nothing is hidden: a date or a page's address names nobody.
WEAK = frozenset({"DATE", "AGE", "URL"})
CONTACT = frozenset({"PHONE", "FAX", "EMAIL", "ADDRESS"})


Find = Callable[[Sequence[str]], Sequence[list[Span]]]
"""What a detector finds in each text."""


@dataclass(frozen=True)
class Share:
    """How many of how many, with Wilson's interval."""

    count: int
    of: int

    def document(self, *, percent: bool = False) -> dict[str, float]:
        scale = 100 if percent else 1
        low, high = share_interval(self.count, self.of)
        share = self.count / self.of
        return {"share": share * scale, "low": low * scale, "high": high * scale, "of": self.of}


def checksum_recall(with_context: bool, each: int = 1_000) -> dict[str, Share]:
    """Of each kind of value: how many of `each` are covered whole, whatever they are taken for.

    Without context only the kinds that can be known so (`Kind.alone`).
    """
    chance = random.Random(SEED + with_context)
    kinds = [kind for kind in KINDS if with_context or kind.alone]
    return {
        kind.name: Share(sum(_found(kind, with_context, chance) for _ in range(each)), each) for kind in kinds
    }


def _found(kind: Kind, with_context: bool, chance: random.Random) -> bool:
    value = kind.value(chance)
    text = chance.choice(NAMED if with_context else BARE)
    text = text.format(name=chance.choice(kind.names), value=value)
    start = text.index(value)
    return any(s.start <= start and s.end >= start + len(value) for s in scan(text, region=kind.region))


# Numbers of a business; "#" is a digit, "9" one that is not zero, "A" a capital.
BUSINESS = (
    "my order number is 9#########",
    "order 9####### has not arrived",
    "where is order #9##-#######-####### please",
    "invoice INV-2026-######",
    "the invoice 9######## is wrong",
    "invoice no. 20##/######",
    "article number 400##########",
    "do you have item AA-####-## in stock",
    "product code 9######",
    "SKU AAA####-##",
    "ISBN 978-3-16-######-9",
    "ticket 9######## is still open",
    "tracking number 1Z999AA1##########",
    "room 9## on floor 9",
    "rooms 9## to 9##",
    "building 9, gate 9#",
    "it costs 9#.## euros",
    "the price is $9,###.##",
    "total 9 ### ### EUR",
    "9#### units at 9.## each",
    "a fee of 9## 000 dollars",
    "open from 08.00-17.30 and 9.00 - 12.30",
    "open 9:00 to 17:30, Saturday 10-14",
    "take 9## mg 3 times a day",
    "9### ml of fluid in 24 hours",
    "a dose of 0.9#### mg per kg",
    "version 9.##.####",
    "page 9## of 9###",
    "error code 0x8007####",
    "in 2019, 2020 and 2021",
    "between 1998 and 2026 there were 9###### cases",
    "a population of 9#.###.###",
    "flight AA9### at gate B9#",
    "bus 9## leaves at 9:##",
    "section 9.9.# of chapter 9#",
    "batch 9####### expires 2027",
    "the parcel weighs 9#.### kg",
    "serialised part 9##-#####",
    "Bestellnummer 9########",
    "Rechnung 2026-#####",
    "Zimmer 9##, Preis 9#,## Euro",
    "artikelnummer 9#######",
    "commande 9########",
    "facture 9#######",
    "chambre 9##, prix 9#,## euros",
    "pedido 9########",
    "factura 9#######",
    "the reference rate is 9.####",
    "press 9 then ##",
    "we have 9### chairs and 9## tables",
    "a model X9### printer",
)


def business_numbers(count: int) -> Iterator[str]:
    """Sentences with numbers that are nobody's."""
    chance = random.Random(SEED)
    for number in range(count):
        template = BUSINESS[number % len(BUSINESS)]
        yield re.sub(r"[#9A]", lambda match: _sign(match[0], chance), template)


def _sign(sign: str, chance: random.Random) -> str:
    return chance.choice({"#": "0123456789", "9": "123456789", "A": "BCDFGHJKLMNPRSTVWXYZ"}[sign])


def _by_forms(texts: Sequence[str]) -> list[list[Span]]:
    return [scan(text) for text in texts]


def business_false(count: int = 20_000, medquad: int = 1_500, find: Find = _by_forms) -> dict[str, Share]:
    """Business sentences with a number in a span of a type that names somebody; likewise numbers in MedQuAD."""
    texts = list(business_numbers(count))
    flagged = sum(any(_numbered(text, spans)) for text, spans in zip(texts, find(texts), strict=True))
    result = {"templates": Share(flagged, count)}
    try:
        lines = data_file("retrieval", "medquad_qa.jsonl").read_text(encoding="utf-8").splitlines()
    except BenchRefused as refusal:
        progress(f"without MedQuAD: {refusal}")
        return result
    return result | {"medquad_numbers": _medquad(lines[:: max(1, len(lines) // medquad)], find)}


def _medquad(lines: list[str], find: Find) -> Share:
    """Its offices' telephones and postcodes are what they are taken for, and no mistake."""
    numbers = flagged = 0
    texts = [json.loads(line)["answer"] for line in lines]
    for text, found in zip(texts, find(texts), strict=True):
        spans = [span for span in _strong(found) if span.type not in CONTACT]
        for match in re.finditer(r"\d[\d.,]*", text):
            numbers += 1
            flagged += any(span.start < match.end() and match.start() < span.end for span in spans)
    return Share(flagged, numbers)


def _numbered(text: str, spans: list[Span]) -> Iterator[bool]:
    return (any(map(str.isdigit, text[span.start : span.end])) for span in _strong(spans))


def _strong(spans: list[Span]) -> list[Span]:
    return [span for span in spans if span.type not in WEAK]


def total(shares: dict[str, Share]) -> Share:
    """All of them as one."""
    counts = Counter[str]()
    for share in shares.values():
        counts.update(count=share.count, of=share.of)
    return Share(counts["count"], counts["of"])


def bench(_: argparse.Namespace) -> Report:
    """All of it, with the times."""
    report = Report("pii_forms", config={"seed": SEED})
    named, alone, business = checksum_recall(True), checksum_recall(False), business_false()
    report.results = {
        "checksum_recall_named": {name: share.document() for name, share in named.items()},
        "checksum_recall_alone": {name: share.document() for name, share in alone.items()},
        "business_false_pct": {name: share.document(percent=True) for name, share in business.items()},
        "hostile_64k": hostile_text_times(),
        "sentence_us": sentence_times(),
    }
    report.judged = {
        "checksum_recall": min(total(named).document()["share"], total(alone).document()["share"]),
        "business_number_false_pct": max(
            share.document(percent=True)["share"] for share in business.values()
        ),
    }
    return report


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments(Path(__file__).stem, SECONDS), bench))
