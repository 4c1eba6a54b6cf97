"""Fitting the answer model on sites with labelled questions. Offline; needs SciPy.

    python -m edge.chat.answers.training SITE… [--write FILE] [--skim]

Each SITE is a folder with `documents/` and `questions.jsonl` (models/recipes/answerability/README.md). Prints figures
as JSON, each site judged by a model that has not seen it; with --write the model of all sites is written. With --skim
it is a model for sites whose passages are only skimmed (`reading`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from edge.chat.answers.candidates import Candidate, Candidates
from edge.chat.answers.choosing import choose, shown
from edge.chat.answers.features import (
    QUESTION_FEATURES,
    QUESTION_SENSE,
    TokenWeights,
    nearness,
    question_features,
    sentence_features,
)
from edge.chat.answers.model import AnswerModel, Linear
from edge.chat.answers.reading import STATE_DIM, Reader
from edge.chat.answers.spelling import Speller
from edge.chat.answers.token_training import TokenExample, learn
from edge.chat.understanding import Query, Understood, understanding
from edge.config import site_paths
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.sentences import split
from edge.knowledge.terms import terms
from edge.store.store import Store
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Pull of the question's weights to nothing, chosen by leaving out one site at a time.
QUESTION_PULL = 5.0
# Sentences from whose token states the directions are taken.
DIRECTION_TEXTS = 4_000
# Questions of the other sites that are asked at each, so that the model knows what is far off as well as near misses.
STRANGERS = 160
STRANGERS_SEED = 5
STRANGE = "strange"
# A question with one missing word is about something else only when it is short.
STRANGE_WORDS_MAX = 3
# Parts that the sites are cut into, so that the second model learns from scores of sites that the first has not seen.
INNER_FOLDS = 5
# Share of refused unanswerable questions at which the other figures are given.
REFUSED_SHARES = (0.85, 0.9, 0.95)
# A candidate is the labelled sentence when one holds the other and it is not a mere scrap of it.
SCRAP_SHARE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A question that was understood, and which of its candidates answer it (none: it has no answer here)."""

    site: str
    understood: Understood
    answerable: bool
    candidates: Candidates
    right: Bools

    def table(self, tokens: TokenWeights) -> Floats:
        """The rows of SENTENCE_FEATURES with these weights of tokens."""
        seen = self.understood
        return sentence_features(seen.question, seen.passages, seen.readings, tokens)[1]


def plain_tokens(dims: int) -> TokenWeights:
    """What features are made with while tokens are not learned yet: all alike."""
    return TokenWeights(np.zeros(dims, np.float32), np.zeros(dims, np.float32), -1.0, 0.6)


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """An example with its features and the log-odds of its sentences."""

    example: Labelled
    table: Floats
    odds: Floats


def fit(examples: Sequence[Labelled], directions: Floats, encoder: str) -> AnswerModel:
    """The model of `examples`. Its second part learns from scores that the first gives to sites it has not seen."""
    usable = [example for example in examples if len(example.candidates)]
    unseen: list[_Scored] = []
    for fold in _folds(usable):
        tokens, sentence = _fit_first([one for one in usable if one.site not in fold])
        unseen += [_score(one, tokens, sentence) for one in usable if one.site in fold]
    rows = [
        question_features(one.example.understood.question, one.example.candidates, one.table, one.odds)
        for one in unseen
    ]
    right = np.array([_is_shown(one.example, one.odds) for one in unseen])
    tokens, sentence = _fit_first(usable)
    return AnswerModel(directions, tokens, sentence, _fit_question(np.stack(rows), right), encoder)


def _folds(examples: Sequence[Labelled]) -> list[set[str]]:
    sites = sorted({example.site for example in examples})
    return [set(sites[start::INNER_FOLDS]) for start in range(min(INNER_FOLDS, len(sites)))]


def _fit_first(examples: Sequence[Labelled]) -> tuple[TokenWeights, Linear]:
    return learn([_token_example(example) for example in examples])


def _token_example(example: Labelled) -> TokenExample:
    question, readings = example.understood.question, example.understood.readings
    near = [
        row
        for passage in example.understood.passages
        for row in nearness(question, readings[passage.chunk_id])
    ]
    return TokenExample(
        question.states,
        question.weights,
        np.stack(near),
        example.table(plain_tokens(question.states.shape[1])),
        example.right,
    )


def _score(example: Labelled, tokens: TokenWeights, sentence: Linear) -> _Scored:
    table = example.table(tokens)
    return _Scored(example, table, sentence.log_odds(table))


def _fit_question(table: Floats, right: Bools) -> Linear:
    """Logistic regression whose weights may not work against their feature's sense (L-BFGS-B, Byrd et al. 1995)."""
    mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    rows, wanted = ((table - mean) / scale).astype(np.float64), right.astype(np.float64)

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, bias = values[:-1], values[-1]
        odds = rows @ weights + bias
        pushes = 1 / (1 + np.exp(-odds)) - wanted
        value = (np.logaddexp(0, odds) - wanted * odds).sum() + QUESTION_PULL * (weights @ weights)
        return float(value), np.append(rows.T @ pushes + 2 * QUESTION_PULL * weights, pushes.sum())

    bounds = [
        {1: (0, None), -1: (None, 0), 0: (None, None)}[QUESTION_SENSE[name]] for name in QUESTION_FEATURES
    ]
    start = np.zeros(len(QUESTION_FEATURES) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]).x
    weights = found[:-1].astype(np.float32)
    return Linear(
        QUESTION_FEATURES, mean.astype(np.float32), scale.astype(np.float32), weights, float(found[-1])
    )


def _is_shown(example: Labelled, odds: Floats) -> bool:
    """Whether a labelled sentence is among those that would be shown."""
    spans = {part.passage.chunk_id: part.runs for part in shown(example.candidates, odds)}
    return any(
        bool(right)
        and any(start <= candidate.start < end for start, end in spans.get(candidate.passage.chunk_id, ()))
        for candidate, right in zip(example.candidates, example.right, strict=True)
    )


def label(understood: Understood, question: Mapping[str, Any], site: str) -> Labelled:
    """An understood question with its labels from a line of `questions.jsonl`."""
    candidates, _ = sentence_features(
        understood.question,
        understood.passages,
        understood.readings,
        plain_tokens(understood.question.states.shape[1]),
    )
    answerable = bool(_quotes(question)) and question["kind"] not in {"unanswerable", STRANGE}
    right = [answerable and _is_labelled(candidate, question) for candidate in candidates]
    return Labelled(site, understood, answerable, candidates, np.array(right, np.bool_))


def _quotes(question: Mapping[str, Any]) -> list[str]:
    quotes = question.get("quotes") or question.get("quote") or []
    return [quotes] if isinstance(quotes, str) else list(quotes)


def _is_labelled(candidate: Candidate, question: Mapping[str, Any]) -> bool:
    return any(_answers(candidate, place) for place in [question, *question.get("also", ())])


def _answers(candidate: Candidate, question: Mapping[str, Any]) -> bool:
    if question.get("doc") not in {None, candidate.passage.doc}:
        return False
    text = _plain(candidate.text)
    for quote in _quotes(question):
        for start, end in split(quote):
            wanted = _plain(quote[start:end])
            if text and (text in wanted or wanted in text) and len(text) >= SCRAP_SHARE * len(wanted):
                return True
    return False


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def read_sites(folders: Sequence[Path], encoder: Encoder, directions: Floats) -> Iterator[Labelled]:
    """Every labelled question of the sites, and of each some of the other sites', understood as a node would."""
    asked = {folder: _questions(folder) for folder in folders}
    chance = np.random.default_rng(STRANGERS_SEED)
    for folder in folders:
        _say(f"reading {folder.name}")
        strangers = [
            one for other in folders if other != folder for one in asked[other] if "previous" not in one
        ]
        picked = chance.choice(len(strangers), min(STRANGERS, len(strangers)), replace=False)
        questions = asked[folder] + [_strange(strangers[row]) for row in picked]
        queries = [
            Query(one["question"], Audience.PUBLIC, (one.get("previous") or {}).get("question", ""))
            for one in questions
        ]
        for understood, question in zip(
            asyncio.run(_understand(folder, queries, encoder, directions)), questions, strict=True
        ):
            if question["kind"] != STRANGE or _is_strange(understood):
                yield label(understood, question, folder.name)


def _questions(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def _strange(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question of another site, asked here."""
    return {"question": question["question"], "kind": STRANGE}


def _is_strange(understood: Understood) -> bool:
    """Whether nothing here can answer a question of another site: the passages lack what it is about."""
    asked = understood.question.rarity
    known = frozenset[str]().union(*(terms(f"{one.place} {one.text}") for one in understood.passages))
    missing = [word for word in asked if word not in known]
    return len(missing) >= 2 or (len(missing) == 1 and len(asked) <= STRANGE_WORDS_MAX)


async def _understand(
    folder: Path, queries: Sequence[Query], encoder: Encoder, directions: Floats
) -> list[Understood]:
    with tempfile.TemporaryDirectory() as site:
        store = Store.open(site_paths(Path(site)))
        try:
            base = await KnowledgeBase.open(store, encoder, encoder.info.space)
            await base.add([folder / "documents"], MetadataChange(audience=Audience.PUBLIC))
            reader, speller = Reader(encoder, directions), Speller(encoder.words(), base.searcher)
            speller.refresh()
            lane = understanding(encoder, base.searcher, reader, speller)
            return [understood for query in queries for understood in lane([query])]
        finally:
            await store.close()


def find_directions(folders: Sequence[Path], encoder: Encoder) -> Floats:
    """The strongest directions of the sites' token states: float32 [dim, STATE_DIM]."""
    lines = [
        line
        for folder in folders
        for path in sorted((folder / "documents").rglob("*.md"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    texts = lines[:: max(1, len(lines) // DIRECTION_TEXTS)]
    encoded = [encoder.encode(texts[start : start + 64]) for start in range(0, len(texts), 64)]
    states = np.concatenate([one.token_states[one.mask] for one in encoded])
    _, vectors = np.linalg.eigh(states.T @ states)
    directions: Floats = vectors[:, ::-1][:, :STATE_DIM].astype(np.float32)
    return directions


def judge(examples: Sequence[Labelled], model: AnswerModel) -> list[tuple[bool, bool, float]]:
    """For each question: whether it has an answer, whether that would be shown, and the evidence."""
    found = []
    for example in examples:
        seen = example.understood
        choice = choose(seen.question, seen.passages, seen.readings, model)
        right = choice is not None and _is_shown(example, choice.log_odds)
        found.append((example.answerable, right, choice.evidence if choice else 0.0))
    return found


def figures(judged: Sequence[tuple[bool, bool, float]]) -> dict[str, Any]:
    """Shares that matter, at thresholds that refuse given shares of what has no answer."""
    answerable = [(right, evidence) for has, right, evidence in judged if has]
    none = np.array([evidence for has, _, evidence in judged if not has])
    report: dict[str, Any] = {
        "questions": len(judged),
        "answer_in_shown": round(sum(right for right, _ in answerable) / max(1, len(answerable)), 3),
    }
    for share in REFUSED_SHARES:
        threshold = float(np.quantile(none, share)) if len(none) else 0.0
        report[f"at_{share:.2f}_refused"] = {
            "threshold": round(threshold, 3),
            "false_not_found": round(sum(e <= threshold for _, e in answerable) / max(1, len(answerable)), 3),
            "wrong_shown": round(
                sum(e > threshold and not right for right, e in answerable) / len(judged), 3
            ),
        }
    return report


def _say(what: str) -> None:
    sys.stderr.write(f"[training] {what}\n")


def main() -> int:
    """Fit, judge by leaving out one site at a time, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sites", nargs="+", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--every", type=int, default=1, help="judge only every n-th site (a quick look)")
    parser.add_argument("--no-judging", action="store_true", help="only fit and write")
    parser.add_argument("--skim", action="store_true", help="without sentences' vectors and token states")
    options = parser.parse_args()
    encoder = open_encoder(models_dir())
    try:
        dims = 0 if options.skim else STATE_DIM
        directions = find_directions(options.sites, encoder)[:, :dims]
        examples = list(read_sites(options.sites, encoder, directions))
    finally:
        encoder.close()
    judged = []
    report: dict[str, Any] = {}
    sites = [] if options.no_judging else sorted({example.site for example in examples})[:: options.every]
    for site in sites:
        _say(f"judging {site}")
        model = fit([one for one in examples if one.site != site], directions, encoder.info.sha256)
        own = [one for one in examples if one.site == site]
        mine = judge(own, model)
        report[site] = figures(mine)
        judged += mine
    if judged:
        report["all"] = figures(judged)
    if options.write:
        _say("fitting on all sites")
        options.write.write_bytes(fit(examples, directions, encoder.info.sha256).save())
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
