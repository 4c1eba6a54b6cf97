"""mask ∘ model ∘ restore, several conversations at a time, with a model that does what models do.

The oracle knows persons and values of its own making: each is unique in the whole run, so a wrong one shows wherever it
comes up. What a token stands for it reads off the masked text, between marks that it set itself.
"""

from __future__ import annotations

import json
import random
import re
from itertools import count, pairwise
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.privacy.pseudonyms import codebook
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.privacy.pseudonyms.restoring import Form
from models.detect.marks import DIGITS, LETTERS
from models.detect.spans import Span
from tests.unit.edge.privacy.pseudonyms.texts import BENT

SESSIONS = 3
FIRST = ("Anna", "Jonas", "Zoë", "Wei")
TYPES = ("EMAIL", "ADDRESS", "US_SSN", "MEDICAL_RECORD")
# In no value, and in no token.
MARK = "¦"


class Conversations(RuleBasedStateMachine):
    """Values are said, the model answers with tokens, the answer is restored."""

    @initialize()
    def begin(self) -> None:
        self.pseudonyms = [
            Pseudonyms(Scope("clinic", f"session-{number}", "overflow")) for number in range(SESSIONS)
        ]
        # Per conversation: token to the value that must come back for it.
        self.means: list[dict[str, str]] = [{} for _ in range(SESSIONS)]
        self.counter = 0
        # What hypothesis finds must come again: the codes, which are random elsewhere, are a sequence here.
        chance = random.Random(SESSIONS)
        drawn = (
            "".join(chance.choices(LETTERS, k=6)) + "".join(chance.choices(DIGITS, k=2)) for _ in count()
        )
        self.codes = patch.object(codebook, "draw_code", drawn.__next__)
        self.codes.start()

    def teardown(self) -> None:
        self.codes.stop()

    def _serial(self) -> str:
        """Letters that no other value has: a surname, an account."""
        self.counter += 1
        return "q" + "".join("aeiouxyzvw"[int(digit)] for digit in f"{self.counter:04}")

    def _say(self, session: int, type_: str, value: str) -> str:
        """The token under which a value leaves; also that nothing of it is left in the text."""
        text = f"I am{MARK}{value}{MARK}here."
        start = text.index(MARK) + 1
        masked = self.pseudonyms[session].mask(text, [Span(type_, start, start + len(value), 0.9)])
        before, token, after = masked.split(MARK)
        assert (before, after) == ("I am", "here.")
        assert value not in masked
        return token

    @rule(session=st.integers(0, SESSIONS - 1), first=st.sampled_from(FIRST), data=st.data())
    def a_person_is_named(self, session: int, first: str, data: st.DataObject) -> None:
        surname = self._serial().capitalize()
        full = f"{first} {surname}"
        token = self._say(session, "PERSON", full)
        assert token not in self.means[session]
        self.means[session][token] = full
        for alias in data.draw(
            st.lists(st.sampled_from([full.upper(), f"Dr. {surname}", f"{first[0]}. {surname}"]))
        ):
            assert self._say(session, "PERSON", alias) == token

    @rule(session=st.integers(0, SESSIONS - 1), type_=st.sampled_from(TYPES), tail=st.text(max_size=6))
    def a_value_is_told(self, session: int, type_: str, tail: str) -> None:
        value = f"{self._serial()}{tail.replace(MARK, '')}".strip()
        token = self._say(session, type_, value)
        assert token not in self.means[session]
        assert all(token not in other for other in self.means)
        self.means[session][token] = value

    @rule(session=st.integers(0, SESSIONS - 1), source=st.integers(0, SESSIONS - 1), data=st.data())
    def somebody_writes_a_token(self, session: int, source: int, data: st.DataObject) -> None:
        if not self.means[source]:
            return
        token = data.draw(st.sampled_from(list(self.means[source])))
        text = f"Say {data.draw(st.sampled_from([str, *BENT.values()]))(token)} please."
        masked = self.pseudonyms[session].mask(text, [])
        assert self.pseudonyms[session].restore(masked) == text
        own = re.findall(r"\[TEXT_\w+\]", masked)
        assert len(own) == 1
        self.means[session][own[0]] = text[4:-8]

    @rule(session=st.integers(0, SESSIONS - 1), data=st.data(), form=st.sampled_from(Form))
    def the_model_answers(self, session: int, data: st.DataObject, form: Form) -> None:
        """Own tokens in any order and number, whole or bent; and tokens of another conversation."""
        own, foreign = self.means[session], self.means[(session + 1) % SESSIONS]
        if not own:
            return
        chosen = data.draw(st.lists(st.sampled_from(list(own)), max_size=5))
        # In JSON an escape has two signs; the longest types, escaped throughout, are longer than what is read.
        ways = [str, *(bend for name, bend in BENT.items() if (form, name) != (Form.JSON, "escaped"))]
        bends = [data.draw(st.sampled_from(ways)) for _ in chosen]
        strangers = data.draw(st.lists(st.sampled_from(list(foreign)), max_size=2)) if foreign else []
        answer = [bend(token) for token, bend in zip(chosen, bends, strict=True)]
        masked = _written([*answer, *strangers], form)
        restored = _read(self._stream(session, masked, data, form), form)
        assert restored[: len(chosen)] == [own[token] for token in chosen]
        for stranger in restored[len(chosen) :]:
            assert re.fullmatch(r"\[[A-Z_]+\]", stranger)

    def _stream(self, session: int, text: str, data: st.DataObject, form: Form) -> str:
        restorer = self.pseudonyms[session].restorer(form)
        ends = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
        chunks = [text[a:b] for a, b in pairwise([0, *sorted(ends), len(text)])]
        return "".join([*map(restorer.feed, chunks), restorer.close()])

    @invariant()
    def tokens_and_values_are_one_to_one(self) -> None:
        for means in getattr(self, "means", []):
            assert len(set(means.values())) == len(means)


def _written(parts: list[str], form: Form) -> str:
    return json.dumps(parts) if form is Form.JSON else MARK.join(parts)


def _read(text: str, form: Form) -> list[str]:
    return json.loads(text) if form is Form.JSON else text.split(MARK) if text else []


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
