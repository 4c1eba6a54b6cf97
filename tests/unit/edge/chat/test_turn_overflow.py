"""A turn that the control plane's model answers: chosen in time, only where the text may go, and said to be so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge import metrics
from edge.chat import turn as turn_module
from edge.chat.answers.answering import Considered
from edge.chat.generating import Writing
from edge.chat.turn import Desk, Final, Foresees
from edge.chat.understanding import Query
from edge.config import AnswerSection, Config, SiteSection
from edge.inference.conversation import Provider
from edge.inference.worker_client import WorkerDied
from models.detect.detector import Detector, Finding
from tests.unit.edge.chat.desk_rig import Rig, rig
from tests.unit.edge.chat.test_generating import (
    CUT,
    GOOD,
    HOURS,
    SHOWN,
    NearEmbedder,
    ScriptedWorker,
    counted,
    relay_of,
    understood,
)

QUESTION = "When does the café open?"
LATE_S = 9.0


class ReadyLine:
    """Stands for the line before the encoder: the question was understood already."""

    ended = 0

    async def submit(self, query: Query, **_: object) -> Considered:
        return Considered(*understood(HOURS), conflict=None)


class Policy:
    """Says `refusal`, and keeps what it was asked about."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.asked: list[tuple[str, Finding, int]] = []

    async def __call__(self, session: str, text: str, found: Finding, size: int) -> str:
        self.asked.append((text, found, size))
        return self.refusal


@pytest.fixture(autouse=True)
def no_danger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of danger are not what is tested; to read them takes half a second."""
    nothing = SimpleNamespace(check=lambda *_: None, check_meaning=lambda *_: None)
    monkeypatch.setattr(turn_module, "SafetyCheck", lambda *_: nothing)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as fresh:
        yield fresh


async def turn(
    made: Rig, workers: dict[Provider, ScriptedWorker], foresees: Foresees | None
) -> tuple[list[str], dict[str, Any]]:
    """The pieces that were shown, and the contract's answer."""
    config = Config(site=SiteSection(name="The Clinic", id="clinic"), answer=AnswerSection(mode="generative"))
    writing = Writing(config.answer, "The Clinic", relay_of(workers), NearEmbedder(), 2048)
    desk = Desk(
        config,
        made.sessions,
        ReadyLine(),  # type: ignore[arg-type]
        writing,
        Detector("US"),
    )
    desk.foresees = foresees
    events = [event async for event in desk.turn(await made.arrive(), QUESTION)]
    final = events[-1]
    assert isinstance(final, Final)
    return [event.text for event in events[1:-1]], final.body  # type: ignore[union-attr]


async def test_a_busy_model_overflows_before_the_deadline_is_lost(made: Rig) -> None:
    own, cloud, policy = ScriptedWorker(first_text_s=LATE_S), ScriptedWorker(), Policy()
    before = counted(metrics.overflow, "predicted_wait", "whole")
    shown, body = await turn(made, {Provider.OWN: own, Provider.CLOUD: cloud}, policy)
    assert (shown, body["answer"], body["route"]) == (SHOWN, "".join(SHOWN), "overflow")
    assert [cited["quote"] for cited in body["citations"]] == [
        "The café opens at 8:00.",
        "It closes at 17:00.",
    ]
    assert not own.asked
    ((text, found, size),) = policy.asked
    assert (text, found.types) == (QUESTION, [])
    assert size >= len(HOURS.encode())
    assert counted(metrics.overflow, "predicted_wait", "whole") == before + 1


async def test_a_site_without_a_model_of_its_own(made: Rig) -> None:
    cloud = {Provider.CLOUD: ScriptedWorker()}
    before = counted(metrics.overflow, "no_local_model", "refused")
    assert (await turn(made, cloud, Policy()))[1]["route"] == "overflow"
    for policy in (Policy("overflow.consent"), None):
        shown, body = await turn(made, cloud, policy)
        assert (shown, body["route"]) == ([body["answer"]], "answer")
    assert len(cloud[Provider.CLOUD].asked) == 1
    assert counted(metrics.overflow, "no_local_model", "refused") == before + 2


async def test_a_busy_model_whose_texts_may_not_go_is_not_waited_for(made: Rig) -> None:
    workers = {Provider.OWN: ScriptedWorker(first_text_s=LATE_S), Provider.CLOUD: ScriptedWorker()}
    shown, body = await turn(made, workers, Policy("overflow.special"))
    assert (shown, body["route"]) == ([body["answer"]], "answer")
    assert not any(worker.asked for worker in workers.values())


async def test_the_policy_is_not_asked_where_the_site_answers_itself(made: Rig) -> None:
    policy = Policy("overflow.consent")
    _, body = await turn(made, {Provider.OWN: ScriptedWorker(), Provider.CLOUD: ScriptedWorker()}, policy)
    assert (body["route"], policy.asked) == ("generate", [])


async def test_the_route_is_that_of_who_wrote_the_end(made: Rig) -> None:
    cases: list[tuple[tuple[Any, ...], tuple[Any, ...], str, list[str]]] = [
        (CUT, GOOD, "overflow", SHOWN),
        ((WorkerDied(),), GOOD, "overflow", SHOWN),
        (CUT, CUT, "answer", SHOWN[:1]),  # `final` takes its place
        (GOOD, (), "generate", SHOWN),
    ]
    for own, cloud, route, shown in cases:
        workers = {Provider.OWN: ScriptedWorker(own), Provider.CLOUD: ScriptedWorker(cloud)}
        told, body = await turn(made, workers, Policy())
        assert (told, body["route"]) == (shown, route)
    rows = await made.store.read(
        lambda db: db.execute("SELECT route FROM turns ORDER BY created_ms, rowid").fetchall()
    )
    assert [row for (row,) in rows] == [route for _, _, route, _ in cases]
