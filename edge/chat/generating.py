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
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from core.errors import PosternError
from edge import metrics
from edge.chat import grounding, heads, prompt
from edge.chat.answers.choosing import Choice, Citation
from edge.chat.answers.reading import Reading
from edge.chat.course import QUOTED, WHOLE, Course
from edge.chat.grounding import Floats, Outcome, Source
from edge.chat.prompt import Prompt
from edge.chat.relay import Asked, FirstTextLate, Lost, Relay
from edge.chat.routing import Decision
from edge.chat.sentence_stream import SentenceStream, is_whole
from edge.chat.shown import Sentence, Shown
from edge.chat.understanding import Understood
from edge.config import AnswerSection
from edge.egress.text.handover import TextRefused
from edge.inference.conversation import Begun, Provider
from edge.inference.embedding import Embedded
from edge.knowledge.document import Passage
from models.errors import PromptTooLong

log = logging.getLogger(__name__)

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


class Embedder(Protocol):
    """Vectors of sentences; `edge.inference.embedding`."""

    async def embed(self, texts: Sequence[str], *, deadline_s: float | None = None) -> Sequence[Embedded]: ...


@dataclass(frozen=True, slots=True)
class Written:
    """The whole answer, every sentence checked. `provider`: whose model wrote the end of it."""

    text: str
    citations: tuple[Citation, ...]
    provider: Provider


@dataclass(frozen=True, slots=True)
class Quoted:
    """No such answer: quote instead. `outcome`: one of OUTCOMES."""

    outcome: Outcome | Why


class _Unshown(Exception):
    def __init__(self, outcome: Outcome | Why) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Task:
    """One answer: what it is from, and what it may take (`relay.Asked`). `lost`: who was asked, and is not again."""

    understood: Understood
    passages: Sequence[Passage]
    providers: Sequence[Provider]
    about: str
    fence: str
    first_by: float
    give_up_at: float
    lost: set[Provider] = field(default_factory=set)


class Writing:
    """Has answers written, and checks them. Use from one event loop."""

    def __init__(
        self, settings: AnswerSection, site: str, relay: Relay, embedder: Embedder, context_tokens: int
    ) -> None:
        """`context_tokens`: what prompt and answer of a model may have together."""
        self.relay = relay
        self._settings = settings
        self._site = site
        self._embedder = embedder
        self._prompt_tokens_max = context_tokens - settings.max_new_tokens
        self._outcomes: Counter[str] = Counter()

    def counts(self) -> Mapping[str, int]:
        """How answers ended since the start, by outcome."""
        return dict(self._outcomes)

    async def write(
        self, understood: Understood, choice: Choice, about: str, decision: Decision
    ) -> AsyncGenerator[str | Written | Quoted, None]:
        """Pieces of text to show, each a checked sentence, then Written or Quoted. Closing it stops the model."""
        end: Written | Quoted
        course = Course(decision.reason)
        try:
            shown = Shown()
            task = self._task(understood, choice, about, decision)
            began = False
            async with aclosing(self._sentences(task, course)) as sentences:
                while not shown.full:
                    sentence = await _next(sentences, None if began else task.first_by)
                    if sentence is None:
                        break
                    if isinstance(sentence, Begun):
                        shown.begin()
                    elif piece := shown.take(sentence):
                        began = True
                        yield piece
            end = _whole(shown, course.writer)
            metrics.recover("generation")
        except _Unshown as error:
            if isinstance(error.outcome, Outcome):  # a model wrote, and in time
                metrics.recover("generation")
            end = Quoted(error.outcome)
        except FirstTextLate as error:
            metrics.fall_back("generation", error.code)
            end = Quoted(Why.LATE)
        except TextRefused:  # as the site's policy says: nothing runs weaker than asked
            end = Quoted(Why.REFUSED)
        except PosternError as error:
            log.warning("generation failed, answering with quotes", extra={"code": error.code})
            metrics.fall_back("generation", error.code)
            end = Quoted(Why.FAILED)
        outcome = end.outcome if isinstance(end, Quoted) else Outcome.GROUNDED
        course.ended(QUOTED if isinstance(end, Quoted) else WHOLE)
        self._outcomes[outcome] += 1
        metrics.grounding.labels(outcome).inc()
        yield end

    def _task(self, understood: Understood, choice: Choice, about: str, decision: Decision) -> _Task:
        """Its clocks run from now. Raises _Unshown."""
        if not decision.providers:
            raise _Unshown(Why.BUSY)
        passages = [one for one in _best_first(understood, choice) if prompt.quote(one).spans]
        if not passages:  # each of them speaks to a model
            raise _Unshown(Why.STEERING)
        now, fence = asyncio.get_running_loop().time(), secrets.token_hex(FENCE_BYTES)
        first_by = now + self._settings.first_token_deadline_s
        give_up_at = now + self._settings.generate_deadline_s
        return _Task(understood, passages, decision.providers, about, fence, first_by, give_up_at)

    async def _sentences(self, task: _Task, course: Course) -> AsyncGenerator[Sentence | Begun, None]:
        """Each sentence of the answer once it is grounded; `Begun` where another model begins it.

        Raises _Unshown for a sentence that is not grounded, or PosternError.
        """
        for asked in self._prompts(task.understood, task.passages, task.fence):
            try:
                async with aclosing(self._grounded(asked, task, course)) as sentences:
                    async for found in sentences:
                        yield found
            except PromptTooLong:  # said before the first word; ask with less
                continue
            return
        raise _Unshown(Why.TOO_LONG)

    def _prompts(self, understood: Understood, passages: Sequence[Passage], fence: str) -> Iterator[Prompt]:
        """Prompts with fewer and fewer passages."""
        question, scanned = understood.question.text, understood.scanned
        most = prompt.PASSAGES_MAX
        while most:
            made = prompt.make(
                self._site,
                question,
                passages,
                fence=fence,
                tokens_max=self._prompt_tokens_max,
                passages_max=most,
                looked=scanned.looked if scanned else None,
            )
            if made is None:
                return
            yield made
            most = len(made.quotations) - 1

    async def _grounded(
        self, asked: Prompt, task: _Task, course: Course
    ) -> AsyncGenerator[Sentence | Begun, None]:
        """The models' sentences, checked. Raises as `_sentences`."""
        sources = grounding.sources(asked.quotations)
        fitted = heads.fit(task.understood.encoder)  # so was how near is near enough
        vectors = _read(sources, task.understood.readings)
        async with aclosing(self._written(asked, task, course)) as sentences:
            async for sentence in sentences:
                if isinstance(sentence, Begun):
                    yield sentence
                    continue
                if fitted and vectors is None:  # passages of a large site are only skimmed
                    vectors = await self._embed(
                        [source.embedding_text for source in sources], task.give_up_at
                    )
                said = await self._embed([sentence], task.give_up_at) if fitted else None
                vector = said[0] if said is not None else None
                question = task.understood.question.text
                verdict = grounding.judge(sentence, vector, sources, vectors, question)
                if verdict.outcome is not Outcome.GROUNDED:
                    raise _Unshown(verdict.outcome)
                yield Sentence(sentence, vector, verdict)

    async def _written(self, asked: Prompt, task: _Task, course: Course) -> AsyncGenerator[str | Begun, None]:
        """Sentences as a model ends them, until it stops or repeats itself; after a `Begun` those of another one.

        A last one that was cut off is left out; one that is all there is may end as no sentence does, unless it is so
        long that it may have been cut off: a token is a byte at least.
        """
        stream, seen, size = SentenceStream(), set[str](), 0
        async with aclosing(self._pieces(asked, task, course)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Begun):
                    stream, seen, size = SentenceStream(), set[str](), 0
                    yield piece
                    continue
                size += len(piece.encode())
                for sentence in stream.feed(piece):
                    if (clean := _clean(sentence, task.fence)) in seen:
                        return
                    if clean:
                        seen.add(clean)
                        yield clean
                if stream.overfull:
                    raise _Unshown(Outcome.WORDS)
        for sentence in stream.rest():
            clean = _clean(sentence, task.fence)
            alone = not seen and size < self._settings.max_new_tokens
            if clean and clean not in seen and (is_whole(clean) or alone):
                seen.add(clean)
                yield clean

    async def _pieces(self, asked: Prompt, task: _Task, course: Course) -> AsyncGenerator[str | Begun, None]:
        """Text as it comes. Raises PosternError when nobody's is whole."""
        wanted = Asked(
            asked.messages,
            self._settings.max_new_tokens,
            task.first_by,
            task.give_up_at,
            self._settings.overflow_after_s,
            self._settings.first_token_deadline_s,
            task.about,
        )
        left = [provider for provider in task.providers if provider not in task.lost]
        async with aclosing(self.relay.generate(wanted, left)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Lost):
                    task.lost.add(piece.provider)
                    course.lost(piece)
                    continue
                if isinstance(piece, Begun):
                    course.begun(piece.provider)
                yield piece

    async def _embed(self, texts: Sequence[str], give_up_at: float) -> Floats | None:
        """float32 [texts, dim]; None where another encoder than the one it was fitted on took over meanwhile.

        Raises QueueFull, or what the encoder raises.
        """
        found = await self._embedder.embed(
            texts, deadline_s=max(0.0, give_up_at - asyncio.get_running_loop().time())
        )
        if not all(heads.fit(one.encoder) for one in found):
            return None
        return np.stack([one.vector for one in found])


def _whole(shown: Shown, provider: Provider | None) -> Written:
    """Raises _Unshown when nothing was written, or nothing by who was to go on."""
    if not shown.whole or provider is None:
        raise _Unshown(Why.EMPTY)
    return Written(shown.text, shown.citations, provider)


def _clean(sentence: str, fence: str) -> str:
    """Without repeated tags; nothing where no letter is left."""
    clean = prompt.without_tags(sentence, fence).strip()
    return clean if any(map(str.isalnum, clean)) else ""


async def _next(
    sentences: AsyncGenerator[Sentence | Begun, None], by: float | None
) -> Sentence | Begun | None:
    """The next, None at the end. Raises FirstTextLate at `by`: words that nobody sees are no first words."""
    try:
        async with asyncio.timeout_at(by):
            return await anext(sentences, None)
    except TimeoutError:
        raise FirstTextLate from None


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
