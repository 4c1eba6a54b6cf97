"""What an example says survives being written, and what feedback writes is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.chat import improvement
from edge.chat.feedback import Reason
from edge.chat.learning.labels import (
    AnsweredBy,
    Asks,
    ExampleKind,
    Label,
    NotHelpful,
    Unanswerable,
    from_json,
    kind_of,
    to_json,
)

LABELS: st.SearchStrategy[Label] = st.one_of(
    st.builds(AnsweredBy, st.text(), st.text()),
    st.just(Unanswerable()),
    st.builds(
        NotHelpful,
        st.lists(st.text(), unique=True).map(lambda names: tuple(sorted(names))),
        st.none() | st.sampled_from(Reason),
    ),
    st.builds(Asks, st.text()),
)


@given(LABELS)
def test_a_label_is_read_as_it_was_written(label: Label) -> None:
    assert from_json(to_json(label)) == label


@given(st.lists(st.text()), st.none() | st.sampled_from(Reason))
def test_what_feedback_writes_is_read(documents: list[str], reason: Reason | None) -> None:
    written = improvement.label(documents, reason)
    assert from_json(written) == NotHelpful(tuple(sorted(set(documents))), reason)
    assert to_json(from_json(written)) == written


@pytest.mark.parametrize("reason", [None, *Reason])
def test_only_two_reasons_speak_against_the_documents(reason: Reason | None) -> None:
    against = NotHelpful(("a.md",), reason).wrong_documents
    assert bool(against) == (reason in {Reason.WRONG, Reason.NOT_MY_QUESTION})


def test_only_an_intent_is_of_its_kind() -> None:
    assert kind_of(Asks("parking")) is ExampleKind.INTENT
    assert {kind_of(one) for one in (AnsweredBy("a"), Unanswerable(), NotHelpful((), None))} == {
        ExampleKind.ANSWER
    }
