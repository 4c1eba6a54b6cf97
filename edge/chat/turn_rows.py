"""What a turn leaves in the store: its row and its counts, in one transaction; and what it counts in memory."""

from __future__ import annotations

import json

from sqlite_utils import Database

from edge import metrics
from edge.chat import improvement, session_rows
from edge.chat.answers import clarifying
from edge.chat.clock import Clock
from edge.chat.continuation import Turn
from edge.chat.routing import Route
from edge.chat.session import Session
from edge.chat.session_rows import now_ms
from edge.chat.turn_answer import Answer
from edge.knowledge import differences, versions
from edge.knowledge.differences import Side
from edge.privacy.policy import Purpose
from edge.store import counters, intent_counts, text_uses
from models.detect.detector import Finding
from models.detect.label import Label


def put(db: Database, session: Session, turn: Turn) -> None:
    """The row of a turn, its words sealed under the key of the person."""
    body = json.dumps(turn.body, ensure_ascii=False).encode()
    sealed = session.key.seal("turns", turn.id, "body", body)
    db.execute(
        "INSERT INTO turns(id, session, created_ms, route, label, redactions, body) VALUES (?,?,?,?,?,?,?)",
        [turn.id, session.id, turn.at_ms, turn.route, turn.label, json.dumps(turn.redactions), sealed],
    )


def insert(
    db: Database,
    session: Session,
    turn_id: str,
    question: str,
    answer: Answer,
    finding: Finding,
    seconds: float,
) -> None:
    """The turn's row and its counts, in one transaction."""
    session_rows.require_open(db, session.id)
    body = {
        "question": question,
        "answer": answer.text,
        "citations": [citation.body() for citation in answer.citations],
        "queue": answer.standing.queue,
        # Without a pass of the encoder, or with one that has no tagger, names were not looked for.
        "scan_complete": finding.complete,
    }
    put(db, session, Turn(turn_id, now_ms(), answer.route, finding.label.value, finding.types, body))
    if not finding.complete:  # nobody looked: for what leaves later it counts as the most sensitive
        text_uses.add(db, Purpose.OVERFLOW, session.id, Label.SPECIAL, 0, now_ms())
    versions.cite(db, turn_id, [(citation.doc, citation.version) for citation in answer.citations])
    if answer.conflict:
        one, other = (Side(cited.doc, cited.version, cited.quote) for cited in answer.citations)
        differences.note(db, one, other, now_ms())
    if answer.intent is not None:
        name = answer.intent.name if answer.intent.in_scope else intent_counts.OUT_OF_SCOPE
        intent_counts.count(db, name)
    # Without its text it is counted all the same, as a turn that was handed off.
    if _not_in_documents(answer) and finding.complete:
        improvement.note_unanswered(db, clarifying.without_mark(question), finding.spans, now_ms())
    counters.count(db, "turns", answer.route)
    if answer.generated:
        counters.count(db, "generated", answer.generated)
    counters.observe(db, "turn_seconds", seconds)


def _not_in_documents(answer: Answer) -> bool:
    """Whether the documents were asked and had nothing."""
    fixed = answer.prepared or answer.standing.text
    return answer.route is Route.HANDOFF and not fixed


def count(route: Route, finding: Finding, clock: Clock) -> None:
    metrics.turns.labels(route).inc()
    metrics.turn_seconds.observe(clock.total_s())
    for stage, seconds in clock.stages.items():
        metrics.stage_seconds.labels(stage).observe(seconds)
    metrics.count_entities(finding.spans)
