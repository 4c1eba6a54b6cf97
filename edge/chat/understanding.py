"""What a batch of questions goes through in one lane: one pass of the encoder, then intents and searches.

Blocking and thread-safe; the runtimes and the indexes release the interpreter while they work, so that the event
loop goes on beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from edge.chat.answers import asking, followups
from edge.chat.answers.features import BEFORE_WEIGHT, Question, token_weights
from edge.chat.answers.reading import NO_STATES, Reader, Reading
from edge.chat.answers.spelling import Speller
from edge.chat.intents.model import Intent
from edge.chat.intents.service import Intents
from edge.chat.session_rows import now_ms
from edge.chat.turn_scan import Asked, Scanned, TurnScan
from edge.knowledge.document import Audience, Passage
from edge.knowledge.search import Searcher
from edge.privacy.scanning import version_of
from models.catalog import DEFAULT_ENCODER
from models.detect.detector import Detector
from models.detect.tagger import Passed
from models.encoder import Encoder

Floats = npt.NDArray[np.float32]

# Passages that routing and the answer may look at; fewer where they are only skimmed, as there every turn meets unread
# ones.
PASSAGES = 5
PASSAGES_SKIMMED = 3


@dataclass(frozen=True, slots=True)
class Query:
    """What a turn asks of the lane. `previous`: the question that this one may lean on, or nothing."""

    text: str
    audience: Audience
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """What one pass of the encoder and the searches make of a question."""

    question: Question
    passages: Sequence[Passage]
    readings: Mapping[int, Reading]
    intent: Intent | None = None
    encoder: str = DEFAULT_ENCODER
    """Whose vectors these are, by its name in the catalogue."""
    scanned: Scanned | None = None
    """What is personal in the question as it was given; None where nobody asked."""


def understanding(
    encoder: Encoder,
    searcher: Searcher,
    reader: Reader,
    speller: Speller,
    intents: Intents | None = None,
    you: str = "",
    detector: Detector | None = None,
) -> Callable[[Sequence[Query]], list[Understood]]:
    """The work of turns' lane. Without `intents` and `detector` neither tells, as when the answer model is trained.

    `you`: what customers mean by it (`site.you`).
    """

    def understand(queries: Sequence[Query]) -> list[Understood]:
        at_ms = now_ms()
        asked = [_asked(query, speller, you) for query in queries]
        texts = [one.text for one in asked]
        wanted_passages = PASSAGES_SKIMMED if reader.skims else PASSAGES
        given, version = [query.text for query in queries], partial(version_of, encoder)
        scan = TurnScan(detector, given, asked, version) if detector else None
        embeddings, states, weights, passes = _encoded(asked, scan, encoder, reader)
        scanned = scan.findings(passes) if scan else [None] * len(texts)
        wanted = intents.understand(texts, embeddings) if intents else [None] * len(texts)
        found: dict[int, Sequence[Passage]] = {}
        for audience in Audience:
            rows = [row for row, query in enumerate(queries) if query.audience is audience]
            if rows:
                mine = [texts[row] for row in rows]
                best = searcher.search_batch(mine, embeddings[rows], audience, wanted_passages, at_ms=at_ms)
                found.update(zip(rows, best, strict=True))
        readings = reader.read(passage for passages in found.values() for passage in passages)
        results = []
        for row, (query, one) in enumerate(zip(queries, asked, strict=True)):
            question = Question(
                one.text[one.before : one.end],
                _rarity(searcher, query.audience, one),
                embeddings[row],
                states[row],
                weights[row],
                leans=one.before > 0,
            )
            read = {passage.chunk_id: readings[passage.chunk_id] for passage in found[row]}
            results.append(
                Understood(question, found[row], read, wanted[row], encoder.info.model, scanned[row])
            )
        return results

    return understand


def _encoded(
    asked: Sequence[Asked], scan: TurnScan | None, encoder: Encoder, reader: Reader
) -> tuple[Floats, Sequence[Floats], Sequence[Floats], list[Passed]]:
    """Of the texts that are asked: embeddings [questions, dim], the kept token states and the tokens' weights (none
    where they are skimmed). Of these and of the further rows that `scan` needs: what the pass tells for scanning.
    """
    texts = [*(one.text for one in asked), *(scan.rows if scan else ())]
    encoded = encoder.encode(texts, want_states=not reader.skims, want_tags=scan is not None)
    passes = encoded.passed() if scan else []
    mine = encoded.first(len(asked))
    if reader.skims:
        nothing = [np.empty(0, np.float32)] * len(asked)
        return mine.embeddings, [NO_STATES] * len(asked), nothing, passes
    tokens = zip(asked, mine.offsets, mine.mask, strict=True)
    weights = [token_weights(one.text, offsets[mask][1:-1], one.before) for one, offsets, mask in tokens]
    return mine.embeddings, reader.states(mine), weights, passes


def _asked(query: Query, speller: Speller, you: str) -> Asked:
    """The question, its slips mended; with the one before where it leans on that, else with whom it means by "you"."""
    text = speller.mend(query.text, query.audience)
    if query.previous and followups.leans(text):
        joined, before = followups.joined(query.previous, text)
        return Asked(joined, before, len(joined))
    return Asked(asking.of_site(text, you), 0, len(text))


def _rarity(searcher: Searcher, audience: Audience, asked: Asked) -> dict[str, float]:
    """The content words with how much each tells; those that only the question before has weigh less."""
    rarity = searcher.rarity(asked.text, audience)
    if asked.before:
        own = searcher.rarity(asked.text[asked.before :], audience).keys()
        rarity = {word: weight * (1.0 if word in own else BEFORE_WEIGHT) for word, weight in rarity.items()}
    return rarity
