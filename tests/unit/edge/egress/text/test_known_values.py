"""What a conversation's vault knows leaves no more, however well it hides from the detector."""

from __future__ import annotations

import pytest

from edge.chat.session import Session
from edge.egress.text import guard as text_guard
from edge.egress.text.handover import Admitted, TextRefusal
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import Span
from tests.unit.edge.egress.text.guard_rig import POLICY, QUESTION, GuardRig, reason_of

SAID = "My name is Anna Miller, please call me on 020 7946 0958."


async def missed(rig: GuardRig, session: Session, text: str, *passages: str) -> Admitted | TextRefusal:
    """A text in which the detector finds nothing, in a conversation in which it found a name before."""
    assert isinstance(await rig.ask(session, SAID), Admitted)
    return await missed_now(rig, session, text, *passages)


async def missed_now(rig: GuardRig, session: Session, text: str, *passages: str) -> Admitted | TextRefusal:
    """A text in which the detector finds nothing."""
    rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts]
    return await rig.ask(session, text, *passages)


def finds(rig: GuardRig, chars: int, type_: str = "PERSON") -> None:
    """From now on a name in the first so many characters of each text, and nothing else."""
    found = Finding((Span(type_, 0, chars, 0.9),), Label.PERSONAL, complete=True)
    rig.scans.does = lambda texts: [found for _ in texts]


@pytest.mark.parametrize(
    ("again", "left"),
    [
        ("the list (Anna Miller)", "Anna Miller"),
        ("the list (anna  MILLER)", "MILLER"),
        ("the list, Miller", "Miller"),
        ("Miller's list", "Miller"),
        ("the list_Miller.pdf", "Miller"),
        ("the list of 020 7946 0958", "7946"),
    ],
)
async def test_what_was_hidden_once_is_hidden_again(
    rig: GuardRig, session: Session, again: str, left: str
) -> None:
    found = await missed(rig, session, f"{QUESTION} Is it on {again}?")
    assert isinstance(found, Admitted)
    assert left not in found.parts[0]
    assert found.pseudonyms is not None
    assert left.casefold() in found.pseudonyms.restore(found.parts[0]).casefold()


@pytest.mark.parametrize(
    ("said", "again", "seen"),
    [
        ("Anna Kellingthorpe", "Anna Kellingthorpe", "Anna"),
        ("Anna Kellingthorpe", "ANNA  kellingthorpe", "ANNA"),
        ("Anna Maria Kellingthorpe", "Anna Maria Kellingthorpe", "Anna"),
        ("Anna Kelling-Thorpe", "Anna Thorpe", "Anna"),
        ("anna kellingthorpe", "anna, kellingthorpe", "anna"),
    ],
)
@pytest.mark.parametrize(("as_type", "location"), [("PERSON", "redact"), ("LOCATION", "allow")])
async def test_of_a_name_that_is_found_by_half_the_other_half_is_hidden_too(
    rig: GuardRig, session: Session, said: str, again: str, seen: str, as_type: str, location: str
) -> None:
    rig.sign(POLICY.replace("PASSWORD =", f'LOCATION = "{location}"\nPASSWORD ='))
    finds(rig, len(said))
    assert isinstance(await rig.ask(session, f"{said} is my name. {QUESTION}"), Admitted)
    finds(rig, len(seen), as_type)
    found = await rig.ask(session, f"{again} once more. {QUESTION}")
    assert isinstance(found, Admitted)
    assert "thorpe" not in found.parts[0].casefold()
    assert found.pseudonyms is not None
    assert "thorpe" in found.pseudonyms.restore(found.parts[0]).casefold()


@pytest.mark.parametrize("said", ["Anna Kellingthorpe here", "Anna Kellingthorpe).", "Kellingthorpe,"])
async def test_of_a_name_that_was_found_with_too_much_the_name_is_known(
    rig: GuardRig, session: Session, said: str
) -> None:
    finds(rig, len(said))
    assert isinstance(await rig.ask(session, f"{said} is my name. {QUESTION}"), Admitted)
    found = await missed_now(rig, session, f"Kellingthorpe once more. {QUESTION}")
    assert isinstance(found, Admitted)
    assert "thorpe" not in found.parts[0].casefold()


async def test_of_two_types_the_policy_goes_by_both(rig: GuardRig, session: Session) -> None:
    finds(rig, len("Anna Miller"))
    assert isinstance(await rig.ask(session, f"Anna Miller is my name. {QUESTION}"), Admitted)
    finds(rig, len("Anna"), "PASSWORD")
    assert reason_of(await rig.ask(session, f"Anna Miller once more. {QUESTION}")) == "policy_types"


async def test_what_slips_through_is_found_by_the_last_look(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_guard, "with_known", lambda parts, looked, values: looked)
    passage = "Dr Miller is here on Saturday."
    assert reason_of(await missed(rig, session, f"{QUESTION} (Miller)", passage)) == "unmasked_form"
    assert isinstance(await rig.ask(session, QUESTION, passage), Admitted)


async def test_where_what_is_personal_stays_it_stays_too(rig: GuardRig, session: Session) -> None:
    assert isinstance(await rig.ask(session, SAID), Admitted)
    rig.sign(POLICY.replace('personal = "redact"', 'personal = "refuse"'))
    rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts]
    assert reason_of(await rig.ask(session, f"{QUESTION} (Miller)")) == "policy_personal"


async def test_words_of_others_and_what_is_published_are_left_alone(rig: GuardRig, session: Session) -> None:
    passage = "Dr Miller is here on Saturday."
    found = await missed(rig, session, f"{QUESTION} Is the miller there?", passage)
    assert isinstance(found, Admitted)
    assert found.parts == (f"{QUESTION} Is the miller there?", passage)
    other = await rig.ask(await rig.session(), f"{QUESTION} Is Miller there?")
    assert isinstance(other, Admitted)
    assert "Miller" in other.parts[0]
