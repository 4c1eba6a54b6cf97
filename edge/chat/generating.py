"""An answer in a language model's words, shown sentence by sentence, each once its check has passed.

It never fails: whatever keeps an answer from being whole and grounded ends it with `Quoted`, and the turn answers with
the documents' own words, which were there before the model was asked. Nothing here is waited for by such an answer: a
model that is busy, late, gone or wrong costs its own deadline at most.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Protocol

import numpy as np

from core.errors import PosternError
from edge import metrics
from edge.chat import grounding, heads, prompt
from edge.chat.answers.choosing import Choice, Citation, cite
from edge.chat.answers.reading import Reading
from edge.chat.grounding import Floats, Outcome, Source, Verdict
from edge.chat.prompt import Prompt
from edge.chat.sentence_stream import SentenceStream, is_whole
from edge.chat.understanding import Understood
from edge.config import AnswerSection
from edge.egress.handover import TextRefused
from edge.inference.conversation import Message
from edge.inference.embedding import Embedded
from edge.inference.worker_client import GenerationFailed
from edge.knowledge.document import Passage
from models.errors import PromptTooLong

log = logging.getLogger(__name__)

# Asked for three; what a model adds beyond one more is padding.
SENTENCES_MAX = 4
# Of tags around the passages: one guess a turn among 2^32.
FENCE_BYTES = 4


class Why(StrEnum):
    """Why quotes were shown, beside what the check of a sentence may say (`grounding.Outcome`)."""

    BUSY = "busy"
    LATE = "late"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    STEERING = "steering"
    REFUSED = "refused"
    FAILED = "failed"


OUTCOMES = (*Outcome, *Why)


class Generator(Protocol):
    """The worker, as a turn sees it."""

    @property
    def ready(self) -> bool:
        """True when a request would be taken on."""

    @property
    def first_text_s(self) -> float:
        """Predicted seconds until the first text of one more answer; 0 when none is ahead of it."""

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str
    ) -> AsyncGenerator[str, None]:
        """Pieces of text as they come. Raises PosternError when the answer cannot be finished; closing it stops it.

        `about`: the session that it is for, where that must be written down.
        """


class Embedder(Protocol):
    """Vectors of sentences; `edge.inference.embedding`."""

    async def embed(self, texts: Sequence[str], *, deadline_s: float | None = None) -> Sequence[Embedded]: ...


@dataclass(frozen=True, slots=True)
class Written:
    """The whole answer, every sentence checked."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Quoted:
    """No such answer: quote instead. `outcome`: one of OUTCOMES."""

    outcome: Outcome | Why


class _Unshown(Exception):
    def __init__(self, outcome: Outcome | Why) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Writing:
    """Has answers written, and checks them. Use from one event loop."""

    def __init__(
        self, settings: AnswerSection, site: str, worker: Generator, embedder: Embedder, context_tokens: int
    ) -> None:
        """`context_tokens`: what prompt and answer of the model may have together."""
        self._settings = settings
        self._site = site
        self._worker = worker
        self._embedder = embedder
        self._prompt_tokens_max = context_tokens - settings.max_new_tokens
        self._outcomes: Counter[str] = Counter()

    @property
    def ready(self) -> bool:
        """Whether a model is there to be asked."""
        return self._worker.ready

    def counts(self) -> Mapping[str, int]:
        """How answers ended since the start, by outcome."""
        return dict(self._outcomes)

    async def write(
        self, understood: Understood, choice: Choice, about: str
    ) -> AsyncGenerator[str | Written | Quoted, None]:
        """Pieces of text to show, each a checked sentence, then Written or Quoted. Closing it stops the model."""
        end: Written | Quoted
        try:
            answer = _Answer()
            async with aclosing(self._sentences(understood, choice, about)) as sentences:
                async for sentence, verdict in sentences:
                    yield answer.add(sentence, verdict.sources)
            end = answer.whole()
            metrics.recover("generation")
        except _Unshown as error:
            end = Quoted(error.outcome)
        except TextRefused:  # as the site's policy says: nothing runs weaker than asked
            end = Quoted(Why.REFUSED)
        except PosternError as error:
            log.warning("generation failed, answering with quotes", extra={"code": error.code})
            metrics.fall_back("generation", error.code)
            end = Quoted(Why.FAILED)
        outcome = end.outcome if isinstance(end, Quoted) else Outcome.GROUNDED
        self._outcomes[outcome] += 1
        metrics.grounding.labels(outcome).inc()
        yield end

    async def _sentences(
        self, understood: Understood, choice: Choice, about: str
    ) -> AsyncGenerator[tuple[str, Verdict], None]:
        """Each sentence of the answer once it is grounded. Raises _Unshown for one that is not, or PosternError."""
        if self._worker.first_text_s > self._settings.first_token_deadline_s:
            raise _Unshown(Why.BUSY)
        give_up_at = monotonic() + self._settings.generate_deadline_s
        fence = secrets.token_hex(FENCE_BYTES)
        passages = [one for one in _best_first(understood, choice) if prompt.quote(one).spans]
        if not passages:  # each of them speaks to a model
            raise _Unshown(Why.STEERING)
        for asked in self._prompts(understood.question.text, passages, fence):
            try:
                async with aclosing(self._grounded(asked, understood, fence, give_up_at, about)) as sentences:
                    async for found in sentences:
                        yield found
            except GenerationFailed as error:
                if error.reason == PromptTooLong.code:  # said before the first word; ask with less
                    continue
                raise
            return
        raise _Unshown(Why.TOO_LONG)

    def _prompts(self, question: str, passages: Sequence[Passage], fence: str) -> Iterator[Prompt]:
        """Prompts with fewer and fewer passages."""
        most = prompt.PASSAGES_MAX
        while most:
            made = prompt.make(
                self._site,
                question,
                passages,
                fence=fence,
                tokens_max=self._prompt_tokens_max,
                passages_max=most,
            )
            if made is None:
                return
            yield made
            most = len(made.quotations) - 1

    async def _grounded(
        self, asked: Prompt, understood: Understood, fence: str, give_up_at: float, about: str
    ) -> AsyncGenerator[tuple[str, Verdict], None]:
        """The model's sentences, checked. Raises as `_sentences`."""
        sources = grounding.sources(asked.quotations)
        fitted = heads.fit(understood.encoder)  # so was how near is near enough
        vectors = _read(sources, understood.readings)
        async with aclosing(self._written(asked, fence, give_up_at, about)) as sentences:
            async for sentence in sentences:
                if fitted and vectors is None:  # passages of a large site are only skimmed
                    vectors = await self._embed([source.embedding_text for source in sources], give_up_at)
                said = await self._embed([sentence], give_up_at) if fitted else None
                vector = said[0] if said is not None else None
                verdict = grounding.judge(sentence, vector, sources, vectors, understood.question.text)
                if verdict.outcome is not Outcome.GROUNDED:
                    raise _Unshown(verdict.outcome)
                yield sentence, verdict

    async def _written(
        self, asked: Prompt, fence: str, give_up_at: float, about: str
    ) -> AsyncGenerator[str, None]:
        """Sentences as the model ends them, until it stops, repeats itself or has written enough.

        A last one that was cut off is left out, unless it is the only one.
        """
        stream, seen = SentenceStream(), set[str]()
        async with aclosing(self._pieces(asked, give_up_at, about)) as pieces:
            async for piece in pieces:
                for sentence in stream.feed(piece):
                    if (clean := _clean(sentence, fence)) in seen or len(seen) == SENTENCES_MAX:
                        return
                    if clean:
                        seen.add(clean)
                        yield clean
                if stream.overfull:
                    raise _Unshown(Outcome.WORDS)
        for sentence in stream.rest():
            clean = _clean(sentence, fence)
            if clean and clean not in seen and len(seen) < SENTENCES_MAX and (is_whole(clean) or not seen):
                seen.add(clean)
                yield clean

    async def _pieces(self, asked: Prompt, give_up_at: float, about: str) -> AsyncGenerator[str, None]:
        """Text as it comes. Raises _Unshown when the first is late, or PosternError."""
        left_s = give_up_at - monotonic()
        generating = self._worker.generate(
            asked.messages, max_new_tokens=self._settings.max_new_tokens, deadline_s=left_s, about=about
        )
        async with aclosing(generating) as pieces:
            try:
                yield await asyncio.wait_for(anext(pieces), self._settings.first_token_deadline_s)
            except StopAsyncIteration:
                return
            except TimeoutError:
                metrics.fall_back("generation", "first_text_late")
                raise _Unshown(Why.LATE) from None
            async for piece in pieces:
                yield piece

    async def _embed(self, texts: Sequence[str], give_up_at: float) -> Floats | None:
        """float32 [texts, dim]; None where another encoder than the one it was fitted on took over meanwhile.

        Raises QueueFull, or what the encoder raises.
        """
        found = await self._embedder.embed(texts, deadline_s=max(0.0, give_up_at - monotonic()))
        if not all(heads.fit(one.encoder) for one in found):
            return None
        return np.stack([one.vector for one in found])


class _Answer:
    """What has been shown so far."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._citations: dict[Citation, None] = {}

    def add(self, sentence: str, sources: Sequence[Source]) -> str:
        """The piece of text that shows one more sentence."""
        for source in sources:
            self._citations[cite(source.passage, source.quote)] = None
        piece = f" {sentence}" if self._sentences else sentence
        self._sentences.append(piece)
        return piece

    def whole(self) -> Written:
        """Raises _Unshown when nothing was written."""
        if not self._sentences:
            raise _Unshown(Why.EMPTY)
        return Written("".join(self._sentences), tuple(self._citations))


def _clean(sentence: str, fence: str) -> str:
    """Without repeated tags; nothing where no letter is left."""
    clean = prompt.without_tags(sentence, fence).strip()
    return clean if any(map(str.isalnum, clean)) else ""


def _best_first(understood: Understood, choice: Choice) -> list[Passage]:
    """The passage of the best sentence, then the others as they were found."""
    best = choice.best.passage
    return [best, *(passage for passage in understood.passages if passage.chunk_id != best.chunk_id)]


def _read(sources: Sequence[Source], readings: Mapping[int, Reading]) -> Floats | None:
    """The vectors of sentences that were read for the search, float32 [sources, dim]; None where they were skimmed."""
    rows = []
    for source in sources:
        reading = readings[source.passage.chunk_id]
        places = np.flatnonzero(reading.sentences.spans[:, 0] == source.start)
        if not reading.vectors.size or not places.size:
            return None
        rows.append(reading.vectors[places[0]].astype(np.float32))
    return np.stack(rows)
