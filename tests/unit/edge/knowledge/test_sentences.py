"""Sentence splitting as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge.sentences import split

TABLE = {
    "We are open on Saturday. Bring your card.": ["We are open on Saturday.", "Bring your card."],
    "Ask for Dr. Okafor here. She is in on Mondays.": ["Ask for Dr. Okafor here.", "She is in on Mondays."],
    "Doors open at 9 a.m. Monday to Friday.": ["Doors open at 9 a.m. Monday to Friday."],
    "Doors open at 9 a.m. Please ring the bell.": ["Doors open at 9 a.m.", "Please ring the bell."],
    "From 9 a.m. to 5 p.m. on weekdays.": ["From 9 a.m. to 5 p.m. on weekdays."],
    "Bring proof, e.g. Passport or card. Thanks!": ["Bring proof, e.g. Passport or card.", "Thanks!"],
    "Take 2.5 mg twice. Then rest.": ["Take 2.5 mg twice.", "Then rest."],
    "It costs 3.50. Cash only.": ["It costs 3.50.", "Cash only."],
    "Is it free? Yes! Always.": ["Is it free?", "Yes!", "Always."],
    'He said "Stop." Then he left.': ['He said "Stop."', "Then he left."],
    "J. R. Smith signed it. We agree.": ["J. R. Smith signed it.", "We agree."],
    "You need vitamin C. The rest is optional.": ["You need vitamin C.", "The rest is optional."],
    "- Bring a list\n- Bring a friend. Or two.": ["Bring a list", "Bring a friend.", "Or two."],
    "1. Register.\n2. Wait to be called.": ["Register.", "Wait to be called."],
    "## Opening hours\nWe open at 8.": ["Opening hours", "We open at 8."],
    "Room No. 4 is on the left. No. 5 is closed.": ["Room No. 4 is on the left.", "No. 5 is closed."],
    "The answer is no. You may ask again.": ["The answer is no.", "You may ask again."],
    "See postern.example. It has maps.": ["See postern.example.", "It has maps."],
    "Sat. 9-12, Sun. closed. Ring the bell.": ["Sat. 9-12, Sun. closed.", "Ring the bell."],
    "Acme Inc. Directors met. They left.": ["Acme Inc. Directors met.", "They left."],
    "Wait… Then go.": ["Wait…", "Then go."],
    "It is in the U.S. The other is not.": ["It is in the U.S.", "The other is not."],
    "Follow us. We post daily.": ["Follow us.", "We post daily."],
    "Wash it, dry it, etc. Children must wait.": ["Wash it, dry it, etc.", "Children must wait."],
    "(See the leaflet.) Then call.": ["(See the leaflet.)", "Then call."],
    "Fasting (8 hours). Water is fine.": ["Fasting (8 hours).", "Water is fine."],
    "It falls by 5%. This is normal.": ["It falls by 5%.", "This is normal."],
    "Ruf uns an. Überall gilt das.": ["Ruf uns an.", "Überall gilt das."],
    "": [],
    " \n\n ": [],
}


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_splits_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in split(text)] == expected


@given(st.text(alphabet=st.sampled_from("aB1 .!?\n-•\"')(”Dr…é"), max_size=200))
def test_spans_are_ordered_disjoint_and_trimmed(text: str) -> None:
    last = 0
    for start, end in split(text):
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert "\n" not in text[start:end]
        last = end


@given(st.text(alphabet=st.sampled_from("abC. \n"), max_size=100))
def test_no_word_is_lost(text: str) -> None:
    kept = "".join(text[start:end] for start, end in split(text))
    assert kept.replace(" ", "").count("b") == text.count("b")
