"""One customer turn, top to bottom.

`Desk.turn` reads as the story of a turn: understand, decide, answer, make it durable, say it is final. It yields
what happens as values; nobody is called back. `Final` comes only after the turn's row is on disk, or says that it is
not (invariant 4); only an answer that overflows waits for the cloud, in the place of quotes that are there (5).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from core.errors import PosternError
from edge import metrics
from edge.chat import languages, prompt, routing, turn_rows
from edge.chat.answers import clarifying
from edge.chat.answers.answering import Considered
from edge.chat.answers.choosing import cite
from edge.chat.answers.conflicts import Conflict
from edge.chat.clock import Clock
from edge.chat.desk_card import DeskCards
from edge.chat.generating import Quoted, Writing, Written
from edge.chat.grounding import Outcome
from edge.chat.intents.standing import Standing, standing_for
from edge.chat.ladder import Ladder, Step, Trouble
from edge.chat.live_session import Memory
from edge.chat.looking_up import EncoderLost, LookingUp
from edge.chat.relay import REFUSED, Relay
from edge.chat.routing import Decision, Route
from edge.chat.safety.card import SafetyCard
from edge.chat.safety.check import SafetyCheck
from edge.chat.safety.model import SafetyModel
from edge.chat.session import Channel, Session, Sessions, boot_s
from edge.chat.turn_answer import Answer as _Answer
from edge.chat.turn_answer import body_of
from edge.chat.understanding import Query, Understood
from edge.config import Config
from edge.inference.scheduler import Line, QueueFull
from edge.store.unwritable import StoreUnwritable
from models.detect.detector import Detector, Finding
from models.detect.label import Label

log = logging.getLogger(__name__)

TURN_ID_BYTES = 12
NOT_FOUND = (
    "I could not find that in our documents. I would rather not guess: a member of staff can help you, "
    "or you can try asking in other words."
)
WHICH = "Which of these do you mean?"
DIFFER = "Two of our documents differ here. Please ask a member of staff which one holds."


class EmptyQuestion(PosternError):
    """Nothing was asked."""

    code = "empty_text"
    title = "There is no question"
    remedy = "Write a question and send it again."
    status = 422


class TextTooLong(PosternError):
    """More text than a turn may have."""

    code = "text_too_long"
    title = "The question is too long"
    remedy = "Shorten the question."
    status = 413


@dataclass(frozen=True, slots=True)
class Meta:
    """The turn was taken on. `languages`: those that the desk answers in."""

    turn_id: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Final:
    """The answer, durable. `body` is the contract's turn answer."""

    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a turn knows once it has understood. `finding`: of its own pass."""

    session: Session
    text: str
    considered: Considered
    finding: Finding
    memory: Memory


Foresees = Callable[[str, str, Finding, int], Awaitable[str]]
"""See `edge.egress.text.foreseen.Foreseen.refusal`."""

NO_ANSWER = _Answer(NOT_FOUND, (), Route.HANDOFF)


class Desk:
    """Answers turns with this site's documents and models."""

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        answering: Line[Query, Considered],
        writing: Writing,
        detector: Detector,
        covered: Callable[[], tuple[str, ...]] = lambda: languages.DEFAULT,
        safety_model: SafetyModel | None = None,
    ) -> None:
        """`covered`: the languages that models and documents speak just now."""
        self.covered = covered
        self.foresees: Foresees | None = None
        """None where no text may go to the control plane."""
        self._config = config
        self._sessions = sessions
        self._looking_up = LookingUp(answering, config.limits.turn_wait_max_s)
        self._desk_cards = DeskCards(config.card, config.site.locale)
        self.ladder = Ladder(config.card.per_minute, boot_s)
        self._writing = writing
        self._detector = detector
        self.safety = SafetyCheck(config.site, config.safety, safety_model)
        self.answer_mode = config.answer.mode

    @property
    def relay(self) -> Relay:
        """The language models that are asked."""
        return self._writing.relay

    def generated(self) -> Mapping[str, int]:
        """How the language model's answers ended since the start, by outcome (`generating.OUTCOMES`)."""
        return self._writing.counts()

    async def turn(self, session: Session, text: str) -> AsyncGenerator[Meta | Delta | Final, None]:
        """Answer `text`. Raises EmptyQuestion, TextTooLong, NoticeRequired, SessionBusy, QueueFull, EncoderLost,
        StoreBusy, StoreUnwritable.
        """
        question = self._checked(text)
        with self._sessions.claim(session):
            clock = Clock()
            turn_id = secrets.token_urlsafe(TURN_ID_BYTES)
            card = self.safety.check(question, session.locale)
            clock.lap("safety")
            memory = self._sessions.memory(session)
            none_meant = question in memory.offered and clarifying.is_none(question)
            settled = _of_card(card) if card else None if none_meant else self._settled(question)
            clock.lap("language")
            if settled:
                yield Meta(turn_id, self.covered())
                self._sessions.remember(session, Memory(memory.topic))
                finding = self._detector.of_forms(question)
                clock.lap("scan")
                yield await self._durable(session, turn_id, question, settled, finding, clock)
                return
            query = Query(question, session.audience, memory.topic)
            try:
                considered = await self._looking_up.look_up(query, self._sessions.caller(session.id))
            except (QueueFull, EncoderLost) as error:
                instead, finding = self._instead(session, error), self._detector.of_forms(question)
                yield Meta(turn_id, self.covered())
                yield await self._durable(session, turn_id, question, instead, finding, clock)
                return
            # Not before: who is not taken on is told so by a status of its own, with the time to come back.
            yield Meta(turn_id, self.covered())
            self._sessions.require_open(session)
            understood = considered.understood
            clock.lap("understand")
            finding = self._finding(question, understood, clock)
            embedding = understood.question.embedding
            if card := self.safety.check_meaning(question, embedding, understood.encoder):
                yield await self._durable(session, turn_id, question, _of_card(card), finding, clock)
                return
            if none_meant:  # the pass was for the scan alone: staff may read what has no answer
                self._sessions.remember(session, Memory(memory.topic))
                yield await self._durable(session, turn_id, question, NO_ANSWER, finding, clock)
                return
            standing = standing_for(understood.intent, self._config.intents)
            answer = NO_ANSWER
            asked = _Asked(session, question, considered, finding, memory)
            async with aclosing(self._answer(asked, standing)) as pieces:
                async for piece in pieces:
                    self._sessions.require_open(session)  # an answer that takes seconds may outlive it
                    if isinstance(piece, _Answer):
                        answer = replace(piece, intent=understood.intent, standing=standing)
                    else:
                        yield piece
            topic = memory.topic if understood.question.leans else question
            offered = tuple(meaning.question for meaning in answer.meanings)
            self._sessions.remember(session, Memory(topic, offered))
            clock.lap("answer")
            final = await self._durable(session, turn_id, question, answer, finding, clock)
            self.ladder.looked_up(answer.route)
            yield final

    def _finding(self, question: str, understood: Understood, clock: Clock) -> Finding:
        """What the question's own pass told. Where the detector failed, forms go on, and who asks knows it."""
        scanned = understood.scanned
        if scanned is None or scanned.finding is None:
            return self._detector.of_forms(question)
        clock.within("understand", "scan", scanned.seconds)
        return scanned.finding

    async def _durable(
        self,
        session: Session,
        turn_id: str,
        question: str,
        answer: _Answer,
        finding: Finding,
        clock: Clock,
    ) -> Final:
        """The end of a turn, once its row is on disk."""
        if answer.card and answer.card.kind.of_health:
            finding = replace(finding, label=Label.SPECIAL)
        recorded = await self._recorded(session, turn_id, question, answer, finding, clock)
        clock.lap("commit")
        turn_rows.count(answer.route, finding, clock)
        return Final(body_of(turn_id, answer, finding, clock, recorded=recorded))

    async def _recorded(
        self,
        session: Session,
        turn_id: str,
        question: str,
        answer: _Answer,
        finding: Finding,
        clock: Clock,
    ) -> bool:
        """Whether the turn's row is on disk. Raises StoreUnwritable where without one there is no answer."""
        unrecorded = self._sessions.unrecorded
        if not session.recorded:
            self._sessions.require_open(session)
            unrecorded.left_out("turns")
            return False
        recorded = False
        try:
            recorded = await unrecorded.recorded(
                lambda db: turn_rows.insert(db, session, turn_id, question, answer, finding, clock.total_s()),
                "turns",
                anyway=answer.prepared,
            )
        except StoreUnwritable:
            self.ladder.refuse(Trouble.STORE_UNWRITABLE)
            raise
        finally:
            if not recorded:  # nor is its label, which should stick
                self._sessions.keep_in(session)
        return recorded

    def _instead(self, session: Session, error: QueueFull | EncoderLost) -> _Answer:
        """What a question gets that cannot be looked up. Raises `error` where it is nothing."""
        trouble = Trouble.QUEUE_FULL if isinstance(error, QueueFull) else Trouble.ENCODER_LOST
        if self.ladder.below(trouble, person=session.channel is not Channel.API) is Step.REFUSED:
            raise error
        card = self._desk_cards.of(session.locale)
        return _Answer(card.text, (), Route.HANDOFF, desk=card, retry_after_s=error.retry_after_s)

    def _settled(self, question: str) -> _Answer | None:
        """The answer where documents need not be asked: they speak another language."""
        sentence = languages.check(question, self.covered())
        return _Answer(sentence.text, (), Route.HANDOFF, language=sentence) if sentence else None

    def _checked(self, text: str) -> str:
        """Leading and trailing space carries no meaning; everything else is kept as it was said."""
        limit = self._config.limits.text_chars_max
        if len(text) > limit:
            raise TextTooLong(f"A question may have {limit} characters; this one has {len(text)}.")
        question = text.strip()
        if not question:
            raise EmptyQuestion
        return question

    async def _answer(self, asked: _Asked, standing: Standing) -> AsyncGenerator[Delta | _Answer, None]:
        """The pieces of the answer, then the whole of it."""
        considered, memory = asked.considered, asked.memory
        if standing.text is not None:
            yield Delta(standing.text)
            yield _Answer(standing.text, (), standing.route)
            return
        understood, choice = considered.understood, considered.choice
        question, evidence_min = understood.question, self._evidence_min(asked.text, memory)
        if considered.conflict:
            # Never in words of a model, which would hide that two documents differ.
            answer = _differing(considered.conflict)
            yield Delta(answer.text)
            yield answer
            return
        # One question back, not two in a row.
        may_ask = not memory.offered
        meanings = clarifying.meanings(question, choice, evidence_min) if choice and may_ask else ()
        decision = await self._decision(
            asked,
            partial(
                routing.decide,
                evidence=choice.evidence if choice else 0.0,
                evidence_min=evidence_min,
                competing=bool(meanings),
                generative=self.answer_mode == "generative",
                first_text_s_max=self._config.answer.first_token_deadline_s,
                overflow_after_s=self._config.answer.overflow_after_s,
            ),
        )
        route, generated, shown = decision.route, "", False
        if choice and (decision.providers or decision.busy):
            async with aclosing(
                self._writing.write(understood, choice, asked.session.id, decision)
            ) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Written):
                        route = routing.route_of(piece.provider)
                        yield _Answer(piece.text, piece.citations, route, generated=Outcome.GROUNDED)
                        return
                    if isinstance(piece, Quoted):
                        generated = piece.outcome
                    else:
                        shown = True
                        yield Delta(piece)
        if route is Route.CLARIFY:
            yield _Answer(WHICH, (), route, meanings=meanings)
        elif route is Route.HANDOFF or choice is None:
            yield NO_ANSWER
        else:
            if not shown:  # else `final` takes the place of what was shown
                yield Delta(choice.text)
            yield _Answer(choice.text, choice.citations, Route.ANSWER, generated=generated)

    async def _decision(self, asked: _Asked, decide: Callable[..., Decision]) -> Decision:
        """By what is known of the models. The control plane's is not chosen for a text that may not go there."""
        prospects = self.relay.prospects()
        decision = decide(prospects=prospects)
        if decision.route is not Route.OVERFLOW:
            return decision
        refusal = await self._refusal(asked)
        if not refusal:
            return decision
        metrics.overflow.labels(decision.reason, REFUSED).inc()
        return decide(prospects=routing.refused(prospects, refusal))

    async def _refusal(self, asked: _Asked) -> str:
        if self.foresees is None:
            return "policy"
        passages = asked.considered.understood.passages[: prompt.PASSAGES_MAX]
        size = len(asked.text.encode()) + sum(len(passage.text.encode()) for passage in passages)
        return await self.foresees(asked.session.id, asked.text, asked.finding, size)

    def _evidence_min(self, text: str, memory: Memory) -> float:
        """What an answer needs: less once the customer has chosen what the question is about."""
        usual = self._config.answer.evidence_min
        return min(usual, clarifying.EVIDENCE_MIN) if text in memory.offered else usual


def _of_card(card: SafetyCard) -> _Answer:
    return _Answer(card.answer, (), card.route, card)


def _differing(conflict: Conflict) -> _Answer:
    """Both sides of a conflict, each with its source."""
    sides = (conflict.first, conflict.second)
    citations = tuple(cite(side.passage, side.text) for side in sides)
    text = "\n".join([DIFFER, *(f"{citation.title}: {citation.quote}" for citation in citations)])
    return _Answer(text, citations, Route.ANSWER, conflict=True)
