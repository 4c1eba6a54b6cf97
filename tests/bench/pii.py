"""What of personal data is found, what leaks, what is flagged for nothing, and what looking costs.

Judged on frames of presidio-research that were kept out of training (`corpus.held_stranger`): any type counts, an
overlap of half, no words skipped; intervals by drawing frames anew. `drop_unseen_points` is what F2 loses from
sentences of the generator as it trains to sentences of frames, locales, name origins and a shape that were kept out.
Reported besides: MultiDoGO's test files, sentences marked by hand in seven languages (by type, language, origin of the
name), ordinary questions, forms with checksums (`pii_forms`) and special categories (`pii_special`).

    python -m tests.bench.pii --json
    python -m tests.bench.pii --train    train the tagger first (`pii_training`) and write models/adapters/tagger.onnx
    python -m tests.bench.pii --rates    write what was measured into models/detect/rates.toml
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from models.catalog import models_dir
from models.detect.detector import Detector
from models.detect.label import Label
from models.detect.of_encoder import detector_on
from models.detect.spans import Span
from models.encoder import Encoder, open_encoder
from models.recipes import special
from models.recipes.tagger import corpus
from models.recipes.tagger.corpus import Sentence
from tests.bench import harness, personal_sets, pii_forms, pii_rates, pii_special, pii_training
from tests.bench.harness import Report, progress, share_interval
from tests.bench.pii_scoring import Mark, Score, interval, score

# Sentences of the generator on each side of the drop.
GENERATED = 2_000
SEED = 77
# What MultiDoGO's labels tell of a person; the rest of its labels are of bookings and goods.
MULTIDOGO_TYPES = frozenset({"PERSON", "ADDRESS", "BANK_ACCOUNT", "CREDIT_CARD", "US_SSN", "EMAIL", "PHONE"})
SENTENCE_WORDS = 20
TIMED = 300
BUSINESS_SENTENCES, MEDQUAD_ANSWERS = 4_000, 150
SAMPLES = ("clinic", "bank")


class Bench:
    """A detector as a node has it, on one core."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.detector: Detector = detector_on(encoder, "US")

    def found(self, texts: Sequence[str]) -> list[list[Mark]]:
        """What is found in each text."""
        return [[(span.type, span.start, span.end) for span in spans] for spans in self.spans(texts)]

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """As spans."""
        return [list(finding.spans) for finding in self.detector.scan(texts)]

    def scores(self, sentences: Sequence[Sentence]) -> list[Score]:
        """One a sentence."""
        told = self.found([one.text for one in sentences])
        return [score(one.text, one.spans, found) for one, found in zip(sentences, told, strict=True)]


def bench(options: argparse.Namespace) -> Report:
    """The whole document."""
    if options.train:
        pii_training.train(options.minutes)
    encoder = open_encoder(models_dir(), "onnxruntime", threads=1)
    report = Report(
        "pii", config={"held_out": "half of presidio's frames, see corpus.py", "generated": GENERATED}
    )
    try:
        side = Bench(encoder)
        for part in (_frames, _unseen, _multidogo, _by_hand, _ordinary, _cost, _forms, _special):
            progress(f"[pii] {part.__name__.strip('_').replace('_', ' ')}")
            part(side, report)
    finally:
        encoder.close()
    if options.rates:
        pii_rates.write(report.results["by_hand"]["types"])
    return report


def _frames(side: Bench, report: Report) -> None:
    """Sentences of frames that training never saw, for each file of presidio-research."""
    for name in ("presidio_frames_dev", "presidio_generated_dev"):
        _, held = corpus.presidio(harness.data_file("pii", f"{name}.jsonl"))
        by_frame = defaultdict(list)
        for one, found in zip(held, side.scores(held), strict=True):
            by_frame[one.frame].append(found)
        groups = [sum(scores, Score()) for scores in by_frame.values()]
        whole = sum(groups, Score())
        report.results[name] = {"sentences": len(held), "frames": len(groups), **whole.figures()}
        if name == "presidio_frames_dev":
            _judge(report, groups, whole)


def _judge(report: Report, groups: Sequence[Score], whole: Score) -> None:
    figures: dict[str, Callable[[Score], float]] = {
        "recall": lambda of: of.recall,
        "precision": lambda of: of.precision,
        "f2": lambda of: of.f2,
        "leaked_chars_pct": lambda of: of.leaked_pct,
    }
    for key, figure in figures.items():
        low, high = interval(groups, figure)
        report.judged |= {key: round(figure(whole), 4), f"{key}_low": low, f"{key}_high": high}


def _unseen(side: Bench, report: Report) -> None:
    """What is lost where frames, locales, origins and the shape are new."""
    seen = sum(side.scores(list(corpus.generated(GENERATED, SEED, languages=("en",)))), Score())
    unseen = sum(side.scores(list(corpus.generated(GENERATED, SEED, held=True, languages=("en",)))), Score())
    report.results["generated"] = {"as_trained": seen.figures(), "kept_out": unseen.figures()}
    report.judged["drop_unseen_points"] = round(100 * (seen.f2 - unseen.f2), 2)


def _multidogo(side: Bench, report: Report) -> None:
    """Turns as people typed them. Any finding protects; one on a label beyond the scope is neither right nor false."""
    paths = [harness.data_file("pii", f"multidogo_{part}", "test.tsv") for part in corpus.MULTIDOGO]
    turns = [one for path in paths for one in corpus.multidogo(path)]
    whole = Score()
    for one, found in zip(turns, side.found([one.text for one in turns]), strict=True):
        scope = [mark for mark in one.spans if mark[0] in MULTIDOGO_TYPES]
        beyond = [mark for mark in one.spans if mark[0] not in MULTIDOGO_TYPES]
        told = [
            mark for mark in found if not any(mark[1] < end and start < mark[2] for _, start, end in beyond)
        ]
        mine = score(one.text, scope, told)
        clean = {"clean": 0, "flagged": 0} if beyond else {}
        whole += replace(mine, leaked=score(one.text, scope, found).leaked, **clean)
    report.results["multidogo"] = {"turns": len(turns), **whole.figures()}
    report.judged |= {
        "multidogo_leaked_chars_pct": round(whole.leaked_pct, 2),
        "multidogo_precision": round(whole.precision, 4),
        "multidogo_flagged_pct": round(whole.flagged_pct, 2),
    }


def _by_hand(side: Bench, report: Report) -> None:
    """Sentences marked by hand: misses by language and type, and of names by origin."""
    types: dict[str, dict[str, list[int]]] = {}
    origins: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    languages = {}
    for language in personal_sets.LANGUAGES:
        sentences = personal_sets.sentences(language)
        told = side.found([one.text for one in sentences])
        whole = Score()
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for one, found in zip(sentences, told, strict=True):
            whole += score(one.text, one.spans, found)
            for mark in one.spans:
                missed = int(score(one.text, [mark], found, join_addresses=False).leaked > 0)
                for tally in (counts[mark[0]], *([origins[one.origin]] if mark[0] == "PERSON" else [])):
                    tally[0] += missed
                    tally[1] += 1
        types[language] = {kind: counts[kind] for kind in sorted(counts)}
        languages[language] = whole.figures()
    report.results["by_hand"] = {
        "languages": languages,
        "types": types,
        "names_by_origin": {origin: origins[origin] for origin in sorted(origins)},
    }


def _ordinary(side: Bench, report: Report) -> None:
    """Questions in which nobody is named: what share is held for personal or special, or has any finding."""
    lines = harness.data_file("intent", "banking77_dev.jsonl").read_text(encoding="utf-8").splitlines()
    sets: dict[str, Sequence[str]] = {
        "banking77": [json.loads(line)["text"] for line in lines],
        "samples": list(_sample_questions()),
        "front_desks": personal_sets.ordinary(personal_sets.BENIGN),
        "business_numbers": personal_sets.ordinary(personal_sets.BUSINESS),
    }
    judged = [0, 0, 0]
    for name, texts in sets.items():
        told = side.detector.scan(texts)
        personal = sum(one.label >= Label.PERSONAL for one in told)
        any_span = sum(bool(one.spans) for one in told)
        low, high = share_interval(personal, len(texts))
        report.results[f"ordinary_{name}"] = {
            "texts": len(texts),
            "personal_pct": round(100 * personal / len(texts), 2),
            "personal_pct_95": [round(100 * low, 2), round(100 * high, 2)],
            "any_span_pct": round(100 * any_span / len(texts), 2),
        }
        if name in {"banking77", "samples"}:
            judged = [judged[0] + personal, judged[1] + any_span, judged[2] + len(texts)]
    report.judged["benign_personal_pct"] = round(100 * judged[0] / judged[2], 2)
    report.judged["benign_any_span_pct"] = round(100 * judged[1] / judged[2], 2)


def _sample_questions() -> Iterable[str]:
    """But for those that are special in truth, such as "I'm pregnant"."""
    in_truth = special.unsure()
    for name in SAMPLES:
        text = (files("edge.templates") / name / "intents.csv").read_text(encoding="utf-8")
        questions = (row["text"] for row in csv.DictReader(text.splitlines()))
        yield from (question for question in questions if question not in in_truth)


def _cost(side: Bench, report: Report) -> None:
    """A sentence of 20 words: the scan with its pass, less the pass alone, in turn, on one core."""
    words = [one.text for one in corpus.generated(20 * TIMED, SEED, languages=("en",))]
    texts = [text for text in words if len(text.split()) == SENTENCE_WORDS][:TIMED]
    whole, alone = list[float](), list[float]()
    for text in texts:
        began = time.perf_counter()
        side.detector.scan([text])
        middle = time.perf_counter()
        side.encoder.embed_here([text])
        whole.append(middle - began)
        alone.append(time.perf_counter() - middle)
    added = [scan - passed for scan, passed in zip(whole, alone, strict=True)]
    report.results["cost"] = {
        "sentences": len(texts),
        "scan_ms": round(1000 * statistics.median(whole), 3),
        "pass_ms": round(1000 * statistics.median(alone), 3),
        "added_pct": round(100 * statistics.median(a / p for a, p in zip(added, alone, strict=True)), 1),
    }
    report.judged["ms_per_sentence"] = round(1000 * statistics.median(added), 3)
    report.judged["added_pct"] = report.results["cost"]["added_pct"]


def _forms(side: Bench, report: Report) -> None:
    """Values with a checksum, numbers of a business, hostile text; the numbers by forms alone and by all together."""
    forms = pii_forms.bench(argparse.Namespace())
    report.results["forms"] = forms.results
    business = pii_forms.business_false(BUSINESS_SENTENCES, MEDQUAD_ANSWERS, side.spans)
    shares = {name: share.document(percent=True) for name, share in business.items()}
    report.results["business_false_pct_whole_detector"] = shares
    report.judged["checksum_recall"] = _whole(forms.results["checksum_recall_named"])
    report.judged["checksum_recall_alone"] = _whole(forms.results["checksum_recall_alone"])
    report.judged["business_number_false_pct"] = max(share["share"] for share in shares.values())


def _whole(shares: Mapping[str, Mapping[str, float]]) -> float:
    """Of all kinds together."""
    found = sum(share["share"] * share["of"] for share in shares.values())
    return round(found / sum(share["of"] for share in shares.values()), 5)


def _special(side: Bench, report: Report) -> None:
    report.results["special"] = pii_special.special_figures(side.encoder)


def main() -> int:
    """Run it."""
    parser = harness.arguments("pii", seconds=0)
    parser.add_argument("--train", action="store_true", help="train the tagger first and write it")
    parser.add_argument("--minutes", type=float, default=pii_training.MINUTES, help="how long to train")
    parser.add_argument("--rates", action="store_true", help="write the miss rates that policies read")
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
