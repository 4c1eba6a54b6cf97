"""What a policy says, line by line; and its strictness against an oracle that asks every request of a grid."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.privacy.policy import (
    POLICY_BYTES_MAX,
    Action,
    BadPolicy,
    Documents,
    Purpose,
    Request,
    Spent,
    decide,
    decide_under,
    from_table,
    parse,
    stricter,
)
from models.detect.label import Label
from tests.unit.edge.privacy.policy_cases import (
    DAYS,
    Table,
    cell_of,
    cleared,
    grid_shape,
    neighbours,
    passes,
    permits_no_more,
    policy,
    request,
    requests,
    rules,
    tables,
)

FREE = policy(overflow=rules())
PERSON = frozenset({"PERSON"})

REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # lines of the policy, what is asked, the line that refuses
    ({}, {"purpose": Purpose.LAN_LLM}, "lan_llm"),
    ({}, {"purpose": Purpose.TICKET}, "ticket"),
    ({}, {"day": DAYS[2]}, "valid_until"),
    ({}, {"label": Label.SPECIAL}, "overflow.special"),
    ({}, {"seen": Label.SPECIAL}, "overflow.sticky_from"),
    ({"public": "refuse", "internal": "refuse", "personal": "refuse"}, {}, "overflow.public"),
    ({"types": {"PERSON": "refuse"}}, {"types": PERSON}, "overflow.types.PERSON"),
    ({}, {"types": frozenset({"NEW_TYPE"})}, "overflow.types"),
    ({}, {"language": "de"}, "overflow.languages"),
    ({}, {"language": None}, "overflow.languages"),
    ({"languages": []}, {}, "overflow.languages"),
    ({}, {"miss_rate": None}, "overflow.risk"),
    ({}, {"miss_rate": 0.0501}, "overflow.risk"),
    ({}, {"miss_rate": float("nan")}, "overflow.risk"),
    ({}, {"miss_rate": -1.0}, "overflow.risk"),
    ({"languages": "all"}, {"language": None, "miss_rate": None}, "overflow.risk"),
    ({"consent": True}, {}, "overflow.consent"),
    ({}, {"documents": Documents.STAFF}, "overflow.documents"),
    ({"documents": "none"}, {"documents": Documents.PUBLIC}, "overflow.documents"),
    ({"hours": ["mon 10:00-11:00"]}, {"minute": 599}, "overflow.hours"),
    ({"hours": ["mon 10:00-11:00"]}, {"minute": 660}, "overflow.hours"),
    ({"hours": []}, {}, "overflow.hours"),
    ({"bytes_per_hour": 99}, {}, "overflow.bytes_per_hour"),
    ({"bytes_per_day": 99}, {}, "overflow.bytes_per_day"),
    ({"bytes_per_session": 99}, {}, "overflow.bytes_per_session"),
    ({}, {"spent": Spent(hour=901)}, "overflow.bytes_per_hour"),
    ({}, {"spent": Spent(day=901)}, "overflow.bytes_per_day"),
    ({}, {"spent": Spent(session=901)}, "overflow.bytes_per_session"),
]
PASSED: list[tuple[dict[str, Any], dict[str, Any], Action, str]] = [
    ({}, {}, Action.ALLOW, "overflow.public"),
    ({}, {"day": DAYS[1]}, Action.ALLOW, "overflow.public"),
    ({}, {"label": Label.PERSONAL, "types": PERSON}, Action.REDACT, "overflow.personal"),
    ({}, {"label": Label.PERSONAL}, Action.ALLOW, "overflow.personal"),
    ({"types": {"PERSON": "redact"}}, {"types": PERSON}, Action.REDACT, "overflow.types.PERSON"),
    ({"types": {"PERSON": "allow"}}, {"label": Label.PERSONAL, "types": PERSON}, Action.ALLOW, "overflow.personal"),
    ({"sticky_from": "personal"}, {"seen": Label.PERSONAL, "types": PERSON}, Action.REDACT, "overflow.personal"),
    ({}, {"seen": Label.PERSONAL, "types": PERSON}, Action.ALLOW, "overflow.public"),
    ({}, {"miss_rate": 0.05}, Action.ALLOW, "overflow.public"),
    ({"risk": "low"}, {"miss_rate": 0.01}, Action.ALLOW, "overflow.public"),
    ({"consent": True}, {"consent": True}, Action.ALLOW, "overflow.public"),
    ({}, {"documents": Documents.PUBLIC}, Action.ALLOW, "overflow.public"),
    ({"hours": ["mon 10:00-11:00"]}, {"minute": 659}, Action.ALLOW, "overflow.public"),
    ({"bytes_per_hour": 100}, {}, Action.ALLOW, "overflow.public"),
    ({}, {"spent": Spent(900, 900, 900)}, Action.ALLOW, "overflow.public"),
]  # fmt: skip
BROKEN = [
    "",
    "format = 2",
    "format = 1\nname = 'x'",
    "format = 1\nname = 'x'\nvalid_until = 2026-13-01",
    "format = 1\nname = 'x'\nvalid_until = 2026-01-01\nsomewhere = {}",
    "format = 1\nname = 'x'\nvalid_until = 2026-01-01\n[overflow]\npublic = 'allow'",
    "\x00",
    "[" * 100,
]


@pytest.mark.parametrize(("lines", "asked", "rule"), REFUSED)
def test_what_is_refused_names_its_line(lines: Table, asked: dict[str, Any], rule: str) -> None:
    found = decide(policy(overflow=rules(**lines)), request(**asked))
    assert (found.action, found.rule) == (Action.REFUSE, rule)


@pytest.mark.parametrize(("lines", "asked", "action", "rule"), PASSED)
def test_what_passes_names_its_line(lines: Table, asked: dict[str, Any], action: Action, rule: str) -> None:
    found = decide(policy(overflow=rules(**lines)), request(**asked))
    assert (found.action, found.rule) == (action, rule)
    assert found.redact == (asked.get("types", frozenset()) if action is Action.REDACT else frozenset())


def test_consent_overrides_nothing() -> None:
    assert decide(FREE, request(label=Label.SPECIAL, consent=True)).action is Action.REFUSE


@pytest.mark.parametrize(
    ("lines", "hidden"),
    [
        ({}, set()),
        ({"internal": "redact"}, {"PERSON", "IBAN"}),
        ({"internal": "refuse", "personal": "refuse"}, {"PERSON", "IBAN"}),
        ({"types": {"IBAN": "refuse"}}, {"IBAN"}),
        ({"types": {"IBAN": "redact"}, "personal": "refuse"}, {"IBAN"}),
    ],
)
def test_public_documents_are_hidden_as_internal_and_never_refused(lines: Table, hidden: set[str]) -> None:
    asked = request(documents=Documents.PUBLIC, document_types=frozenset({"PERSON", "IBAN"}))
    found = decide(policy(overflow=rules(**lines)), asked)
    assert found.action is (Action.REDACT if hidden else Action.ALLOW)
    assert found.redact == frozenset(hidden)
    assert found.rule == "overflow.public"


@pytest.mark.proves("policy")
def test_without_a_policy_nothing_passes() -> None:
    assert decide_under((), request()).action is Action.REFUSE


def test_two_policies_take_out_what_either_does() -> None:
    asked = request(label=Label.PERSONAL, types=frozenset({"PERSON", "PHONE"}))
    one = policy(overflow=rules(types={"PHONE": "allow"}))
    other = policy(overflow=rules(types={"PERSON": "allow"}))
    assert decide_under((one,), asked).redact == {"PERSON"}
    assert decide_under((one, other), asked).redact == {"PERSON", "PHONE"}
    assert decide_under((one, policy()), asked).rule == "overflow"


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse(text)


@pytest.mark.parametrize(
    "lines",
    [
        {"public": "redact", "internal": "allow"},
        {"types": {"SHOE_SIZE": "allow"}},
        {"risk": "any"},
        {"risk": "some"},
        {"hours": ["mon-fri 8:00-18:00"]},
        {"hours": ["fri-mon 08:00-18:00"]},
        {"hours": ["mon 18:00-08:00"]},
        {"hours": ["mon 08:00-24:01"]},
        {"languages": ["english"]},
        {"bytes_per_hour": -1},
        {"bytes_per_second": 1},
    ],
)
def test_lines_that_make_no_sense_are_refused(lines: Table) -> None:
    with pytest.raises(BadPolicy):
        policy(overflow=rules(**lines))


def test_a_policy_has_a_size() -> None:
    whole = f'format = 1\nname = "x"\nvalid_until = {DAYS[0]}\n'
    assert parse(whole + "#" * (POLICY_BYTES_MAX - len(whole))).name == "x"
    with pytest.raises(BadPolicy):
        parse(whole + "#" * (POLICY_BYTES_MAX - len(whole) + 1))


# --- strictness ---

LOOSER: list[dict[str, Any]] = [
    {"special": "redact"},
    {"personal": "allow"},
    {"types": {"PERSON": "allow"}},
    {"sticky_from": "public", "special": "redact"},
    {"languages": ["en", "de"]},
    {"languages": "all"},
    {"risk": "high"},
    {"documents": "staff"},
    {"bytes_per_hour": 1001},
    {"bytes_per_day": 1001},
    {"bytes_per_session": 1001},
]
STRICTER: list[dict[str, Any]] = [
    {},
    {"personal": "refuse"},
    {"public": "redact", "internal": "redact"},
    {"types": {"PERSON": "refuse"}},
    {"types": {"PERSON": "redact"}},
    {"sticky_from": "personal"},
    {"languages": []},
    {"risk": "low"},
    {"documents": "none"},
    {"consent": True},
    {"hours": ["mon-fri 08:00-18:00"]},
    {"bytes_per_hour": 999},
    {"bytes_per_day": 0},
    # Nothing passes under it, however wide its other lines are.
    {"hours": [], "languages": "all", "risk": "high", "documents": "staff"},
]


@pytest.mark.parametrize("lines", LOOSER)
def test_a_looser_line_is_not_stricter(lines: Table) -> None:
    assert not stricter(policy(overflow=rules(**lines)), FREE)


@pytest.mark.parametrize("lines", STRICTER)
def test_a_stricter_line_is(lines: Table) -> None:
    assert stricter(policy(overflow=rules(**lines)), FREE)


@pytest.mark.parametrize(
    ("lines", "wider"), [({"consent": True}, {"consent": False}), ({"hours": ["sat 10:00-12:00"]}, {})]
)
def test_without_consent_or_at_any_time_is_looser(lines: Table, wider: Table) -> None:
    assert not stricter(policy(overflow=rules(**wider)), policy(overflow=rules(**lines)))


def test_a_longer_life_or_another_purpose_is_looser() -> None:
    longer = FREE.model_copy(update={"valid_until": DAYS[1] + timedelta(days=1)})
    assert not stricter(longer, FREE)
    assert stricter(FREE, longer)
    assert not stricter(policy(overflow=rules(), lan_llm=rules()), FREE)
    assert stricter(policy(), FREE)
    # Where nothing passes, how long does not matter.
    assert stricter(policy().model_copy(update={"valid_until": date.max}), FREE)


@settings(max_examples=30, deadline=None)
@given(st.data(), tables())
def test_stricter_is_what_the_oracle_finds(data: st.DataObject, b: Table) -> None:
    a = data.draw(st.one_of(neighbours(b), tables()))
    assert stricter(from_table(a), from_table(b)) == permits_no_more(a, b)


@pytest.mark.proves("policy")
@settings(max_examples=150, deadline=None)
@given(tables(), st.lists(requests(), min_size=20, max_size=20))
def test_decisions_are_what_the_oracle_finds(table: Table, asked: list[Request]) -> None:
    made = from_table(table)
    for one in asked:
        found = decide(made, one)
        may = passes(table, one)
        assert (found.action is not Action.REFUSE) == may
        if may:
            subset, label, seen, *_ = cell_of(one)
            assert one.types - found.redact == cleared(table, one.purpose)[subset][label][seen]
            assert (found.action is Action.REDACT) == bool(found.redact)


@pytest.mark.proves("policy")
@settings(max_examples=100, deadline=None)
@given(tables(), tables(), st.lists(requests(), min_size=20, max_size=20))
def test_under_two_policies_passes_what_both_permit(a: Table, b: Table, asked: list[Request]) -> None:
    one, other = from_table(a), from_table(b)
    for each in asked:
        together, alone = decide_under((one, other), each), [decide(one, each), decide(other, each)]
        refused = any(found.action is Action.REFUSE for found in alone)
        assert (together.action is Action.REFUSE) == refused
        if not refused:
            assert together.redact == alone[0].redact | alone[1].redact


def test_the_grid_is_no_toy() -> None:
    cells = 1
    for length in grid_shape():
        cells *= length
    assert cells > 10**6
