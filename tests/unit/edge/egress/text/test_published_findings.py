"""Findings of published texts are kept by the text and the detector, and of no text that a customer wrote."""

from __future__ import annotations

import pytest

from edge.chat import prompt
from edge.chat.session import Channel, Session
from edge.egress.text.handover import Admitted, Part, Source
from edge.egress.text.published_findings import PublishedFindings, without_fences
from edge.knowledge.document import Audience, Passage
from edge.privacy.policy import Documents, Purpose
from models.detect.detector import Detector, Finding
from models.detect.label import Label
from tests.unit.edge.egress.text.guard_rig import POLICY, QUESTION, GuardRig, handover, reason_of

FOUND = Finding((), Label.PUBLIC, complete=True)
PASSAGE = "Dr Tom Baker runs the office, which is open on Saturday from nine."
REVISED = "Dr Anna Miller runs the office, which is open on Saturday from nine."


def test_of_a_text_that_was_kept() -> None:
    found = PublishedFindings()
    found.keep(PASSAGE, "1", FOUND)
    assert found.of(PASSAGE, "1") is FOUND
    assert found.of(REVISED, "1") is None


def test_another_detector_finds_nothing_kept() -> None:
    found = PublishedFindings()
    found.keep(PASSAGE, "1", FOUND)
    assert found.of(PASSAGE, "2") is None
    found.keep(REVISED, "2", FOUND)
    assert found.of(PASSAGE, "2") is None
    assert len(found) == 1


@pytest.mark.parametrize(("texts", "kept"), [(2, [0, 1]), (3, [0, 1, 2]), (4, [0, 2, 3])])
def test_the_least_used_goes_first(texts: int, kept: list[int]) -> None:
    found = PublishedFindings(kept_max=3)
    for number in range(texts):
        found.keep(str(number), "1", FOUND)
        found.of("0", "1")
    assert [number for number in range(texts) if found.of(str(number), "1")] == kept


def test_nothing_of_a_text_is_kept() -> None:
    found = PublishedFindings()
    found.keep(PASSAGE, "1", FOUND)
    assert all(len(digest) == 32 for digest in found._found)


def test_the_fence_of_a_turn_makes_no_other_text() -> None:
    passage = Passage(1, "d", 1, "Hours", "", PASSAGE, 1.0, 1.0, 1.0, b"")
    texts = []
    for fence in ("0a1b2c3d", "99999999"):
        made = prompt.make("Clinic", QUESTION, [passage], fence=fence, tokens_max=2000)
        assert made is not None
        pieces = [piece for message in made.messages for piece in message.pieces if piece.published]
        assert all(len(without_fences(piece.text)) == len(piece.text) for piece in pieces)
        texts.append([without_fences(piece.text) for piece in pieces])
    assert texts[0] == texts[1]
    # Zeros in its place were a telephone number, which was then hidden in every prompt.
    assert not any(Detector("GB").of_forms(text).spans for text in texts[0])


@pytest.mark.parametrize(
    "text", ["<quote 0a1b2c3>", "<quote 0a1b2c3de>", "<quote  0a1b2c3d>", "0a1b2c3d", "<q 0a1b2c3d>"]
)
def test_what_is_no_fence_stays(text: str) -> None:
    assert without_fences(text) == text


# --- in the guard ---


async def test_a_passage_is_looked_at_once_and_a_question_every_time(rig: GuardRig, session: Session) -> None:
    for _ in range(2):
        assert isinstance(await rig.ask(session, QUESTION, PASSAGE), Admitted)
    assert rig.scans.seen == [QUESTION, PASSAGE, QUESTION]


async def test_what_was_not_looked_at_whole_is_not_kept(rig: GuardRig, session: Session) -> None:
    rig.scans.does = lambda texts: [Finding((), Label.PERSONAL, complete=False) for _ in texts]
    for _ in range(2):
        assert reason_of(await rig.ask(session, QUESTION, PASSAGE)) == "policy_incomplete"
    assert rig.scans.seen == [QUESTION, PASSAGE] * 2


async def test_the_last_look_at_a_passage_is_kept_for_what_is_left_of_it(
    rig: GuardRig, session: Session
) -> None:
    """Once hidden, and then let stand by another policy: what is left is another text."""
    passage = "Ring 020 7946 0958 on Saturday."
    for _ in range(2):
        assert isinstance(await rig.ask(session, QUESTION, passage), Admitted)
    rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts]
    rig.scans.version = "2"  # it has lost the number
    assert reason_of(await rig.ask(session, QUESTION, passage)) == "unmasked_form"


async def test_what_is_known_of_a_passage_is_hidden_in_it(rig: GuardRig, session: Session) -> None:
    """`internal` is redacted under this policy, and so is what a public document says of somebody."""
    for _ in range(2):
        found = await rig.ask(session, QUESTION, PASSAGE)
        assert isinstance(found, Admitted)
        assert "Baker" not in found.parts[1]
        assert found.pseudonyms is not None
        assert found.pseudonyms.restore(found.parts[1]) == PASSAGE


async def test_a_policy_that_is_tightened_meanwhile_hides_what_it_allowed(
    rig: GuardRig, session: Session
) -> None:
    free = POLICY.replace('internal = "redact"', 'internal = "allow"')
    rig.sign(free)
    found = await rig.ask(session, QUESTION, PASSAGE)
    assert isinstance(found, Admitted)
    assert found.parts[1] == PASSAGE
    rig.sign(POLICY)
    found = await rig.ask(session, QUESTION, PASSAGE)
    assert isinstance(found, Admitted)
    assert "Baker" not in found.parts[1]


async def test_a_revised_document_and_another_detector_are_looked_at(rig: GuardRig, session: Session) -> None:
    await rig.ask(session, QUESTION, PASSAGE)
    found = await rig.ask(session, QUESTION, REVISED)
    assert isinstance(found, Admitted)
    assert "Miller" not in found.parts[1]
    rig.scans.version = "2"
    await rig.ask(session, QUESTION, PASSAGE)
    assert rig.scans.seen == [QUESTION, PASSAGE, QUESTION, REVISED, QUESTION, PASSAGE]


async def test_a_detector_that_changes_under_a_scan_leaves_nothing_kept(
    rig: GuardRig, session: Session
) -> None:
    def changes(texts: list[str]) -> list[Finding]:
        rig.scans.version = "2"
        return [rig.scans.finding(text) for text in texts]

    rig.scans.does = changes  # type: ignore[assignment]
    await rig.ask(session, QUESTION, PASSAGE)
    rig.scans.does = None
    await rig.ask(session, QUESTION, PASSAGE)
    assert rig.scans.seen == [QUESTION, PASSAGE, QUESTION, PASSAGE]


async def test_documents_of_the_staff_count_as_somebody_s_words_and_are_never_kept(rig: GuardRig) -> None:
    rig.sign(POLICY.replace('documents = "public"', 'documents = "staff"'))
    made = await rig.sessions.create(Channel.INTRANET, "en", audience=Audience.STAFF)
    session = await rig.sessions.consent(made.session, "v1", True)
    for _ in range(2):
        assert isinstance(
            await rig.ask(session, QUESTION, "The keys lie in the safe of the office."), Admitted
        )
    assert len(rig.scans.seen) == 4
    assert reason_of(await rig.ask(session, QUESTION, "Her diabetes is in the file.")) == "policy_special"


async def test_nothing_goes_without_a_look_however_well_it_is_known(rig: GuardRig, session: Session) -> None:
    """Else published text alone would go while the detector does not work."""
    parts = [Part(PASSAGE, Source.PUBLIC)]
    for _ in range(2):
        await rig.guard.admit(handover(Purpose.LAN_LLM, session, parts, Documents.PUBLIC))
        await rig.guard.look(parts)
    assert rig.scans.seen == [PASSAGE, PASSAGE]
