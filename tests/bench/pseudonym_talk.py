"""Conversations for the bench of pseudonyms: who says what, what a model makes of the tokens, and what must come back.

The oracle: it knows the values because it made them, each unique in the whole run, and reads off a masked text which
token stands for which value between gaps of its own. It knows nothing of how tokens look, are found or are mended.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.detect.spans import Span

FIRST_NAMES = ("Ada", "Bram", "Chidi", "Dilara", "Emil", "Farida", "Goran", "Hana", "Ilse", "Jun")
TALK = (
    "we are open from eight until noon and the report will be sent by post please bring your card to the desk on "
    "the second floor where a colleague will look after it there is no fee for this address and phone numbers may "
    "be changed at any time in person"
)
WORDS = TALK.split()
PASSAGE = " ".join(
    f"Visitors of ward {number} register at the desk between 8:00 and {number + 9}:30; call extension {4100 + number}."
    for number in range(12)
)
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
# Between pieces of an answer, in no value and no token.
MARK = "¦"
# Of a turn, by chance.
NEW_PERSON, ALIAS, OTHER_VALUE, IMITATION, REPEATED = 0.35, 0.35, 0.6, 0.06, 0.5
FAMILY = 0.15
BENT, FOREIGN, MADE_UP, AS_JSON = 0.15, 0.04, 0.02, 0.2
ANSWER_TOKENS_MAX = 5


def serials() -> Iterator[str]:
    """Words that are each used once: syllables, counted up."""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    number = 0
    while True:
        rest, word = number, ""
        for _ in range(5):
            rest, place = divmod(rest, len(syllables))
            word += syllables[place]
        yield word
        number += 1


@dataclass
class Counts:
    """What came back, by kind of token."""

    whole: int = 0
    bent: int = 0
    bent_restored: int = 0
    foreign: int = 0
    imitations: int = 0
    wrong_person: int = 0
    cross_session: int = 0
    not_restored: int = 0
    first_wrong: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Keep the first few failures, for whoever looks for the cause; values here are made up."""
        if len(self.first_wrong) < 5:
            self.first_wrong.append(what)


@dataclass(frozen=True)
class Said:
    """One value in a question. `whose`: what must come back for it."""

    type: str
    written: str
    whose: str


@dataclass(frozen=True)
class Piece:
    """One piece of an answer: what the model writes, and what must be shown. `kind`: whole, bent, foreign, plain."""

    written: str
    shown: str
    kind: str
    # For a foreign token: the value that it stands for elsewhere.
    secret: str = ""


class Talk:
    """One conversation, and the oracle of it."""

    def __init__(self, name: str, words: Iterator[str], chance: random.Random) -> None:
        self.name = name
        self._words = words
        self._chance = chance
        self._persons: list[tuple[str, str]] = []  # (first name, surname)
        self._values: list[Said] = []
        self.means: dict[str, str] = {}  # token to value
        self.token_of: dict[str, str] = {}  # value to token
        self.turns_left = chance.randint(4, 12)

    def ask(self, others: Sequence[Talk]) -> tuple[str, list[Span], list[Said], list[str]]:
        """A question: its text, its spans, the values in it in order, and the gaps around them."""
        said = self._say(others)
        gaps = [f" {' '.join(self._chance.choices(WORDS, k=3))}, " for _ in range(len(said) + 1)]
        parts, spans, position = [gaps[0]], [], len(gaps[0])
        for each, gap in zip(said, gaps[1:], strict=True):
            if each.type:
                spans.append(Span(each.type, position, position + len(each.written), 0.9))
            parts += [each.written, gap]
            position += len(each.written) + len(gap)
        return "".join(parts), spans, said, gaps

    def _say(self, others: Sequence[Talk]) -> list[Said]:
        chance, said = self._chance, []
        if chance.random() < NEW_PERSON or not self._persons:
            said.append(self._introduce())
        if chance.random() < ALIAS:
            said.append(self._alias())
        if chance.random() < OTHER_VALUE:
            said.append(self._value())
        if self._values and chance.random() < REPEATED:
            said.append(chance.choice(self._values))
        if chance.random() < IMITATION:
            said += self._imitation(others)
        return said

    def _introduce(self) -> Said:
        family = self._persons and self._chance.random() < FAMILY
        surname = self._persons[-1][1] if family else next(self._words).capitalize()
        taken = {first for first, last in self._persons if last == surname}
        first = self._chance.choice([name for name in FIRST_NAMES if name not in taken])
        self._persons.append((first, surname))
        return self._keep(Said("PERSON", f"{first} {surname}", f"{first} {surname}"))

    def _alias(self) -> Said:
        """Another way to say a person; of a family it is nobody's but its own."""
        first, surname = self._chance.choice(self._persons)
        full = f"{first} {surname}"
        if self._chance.random() < 0.3:
            return Said("PERSON", full.upper(), full)
        alias = self._chance.choice((f"Dr. {surname}", f"Prof. {surname}"))
        clear = sum(last == surname for _, last in self._persons) == 1
        # A name that was doubtful once keeps the token that it got then.
        return Said("PERSON", alias, full if clear and alias not in self.token_of else alias)

    def _value(self) -> Said:
        word = next(self._words)
        type_, value = self._chance.choice(
            (
                ("EMAIL", f"{word}@example.org"),
                ("ADDRESS", f'{word} Lane "4"\\B,\n{word}ton €'),
                ("MEDICAL_RECORD", f"MRN {word}"),
                ("OTHER_ID", f"<{word}> & {{{word}}}"),
            )
        )
        return self._keep(Said(type_, value, value))

    def _imitation(self, others: Sequence[Talk]) -> list[Said]:
        """A token of somebody's, or bent, that the customer writes: it must come back as it was written."""
        tokens = list(self._chance.choice([self, *others]).means)
        if not tokens:
            return []
        written = self._chance.choice((str, *BENDS))(self._chance.choice(tokens))
        return [Said("", written, written)]

    def _keep(self, said: Said) -> Said:
        self._values.append(said)
        return said

    def learn(self, masked: str, said: Sequence[Said], gaps: Sequence[str], counts: Counts) -> None:
        """Read off which token stands for what."""
        if not masked.startswith(gaps[0]):
            raise AssertionError("the text around a value was changed")
        position = len(gaps[0])
        for each, gap in zip(said, gaps[1:], strict=True):
            end = masked.index(gap, position)
            token = masked[position:end]
            position = end + len(gap)
            if token == each.written and not each.type:
                continue  # bent twice, what somebody wrote is no token of any book: it may stay as it is
            known = self.token_of.get(each.whose)
            meant = self.means.get(token)
            if (known not in (None, token)) or (meant not in (None, each.whose)):
                counts.wrong_person += 1
                counts.note(f"{each} has {token}, which is {meant}; before it had {known}")
            if each.written in token:
                counts.not_restored += 1
                counts.note(f"{each} left as it is")
            self.means[token] = each.whose
            self.token_of[each.whose] = token
            counts.imitations += not each.type

    def answer(self, others: Sequence[Talk]) -> tuple[list[Piece], bool]:
        """What the model writes, and whether it does so in JSON."""
        chance, own = self._chance, list(self.means.items())
        pieces = [self._plain()]
        for _ in range(chance.randint(0, ANSWER_TOKENS_MAX)):
            lot = chance.random()
            if lot < FOREIGN:
                pieces += _foreign(chance, others)
            elif lot < FOREIGN + MADE_UP:
                pieces.append(Piece("[PERSON_b2c3d4f5]", "[PERSON]", "foreign"))
            elif own:
                token, value = chance.choice(own)
                bent = chance.random() < BENT
                written = chance.choice(BENDS)(token) if bent else token
                pieces.append(Piece(written, value, "bent" if bent else "whole"))
            pieces.append(self._plain())
        if chance.random() < 0.2:  # an answer may begin with a token
            pieces = pieces[1:] or pieces
        return pieces, chance.random() < AS_JSON

    def _plain(self) -> Piece:
        words = " ".join(self._chance.choices(WORDS, k=self._chance.randint(2, 12)))
        return Piece(words, words, "plain")

    def judge(self, restored: Sequence[str], pieces: Sequence[Piece], counts: Counts) -> None:
        """Compare what was shown with what must be."""
        if len(restored) != len(pieces):
            counts.not_restored += 1
            counts.note(f"{len(pieces)} pieces came back as {len(restored)}")
            return
        for shown, piece in zip(restored, pieces, strict=True):
            if piece.kind != "plain":
                setattr(counts, piece.kind, getattr(counts, piece.kind) + 1)
            if shown == piece.shown:
                counts.bent_restored += piece.kind == "bent"
            else:
                self._mismatch(shown, piece, counts)

    def _mismatch(self, shown: str, piece: Piece, counts: Counts) -> None:
        if piece.secret and piece.secret in shown:
            counts.cross_session += 1
        elif any(
            value in shown for value in self.means.values() if value not in (piece.shown, piece.written)
        ):
            counts.wrong_person += 1
        elif piece.kind == "bent":
            return  # stays masked, which is allowed
        else:
            counts.not_restored += 1
        counts.note(f"{piece} was shown as {shown!r}")


def _foreign(chance: random.Random, others: Sequence[Talk]) -> list[Piece]:
    """A token of another conversation, as if a provider had mixed two up."""
    items = list(chance.choice(others).means.items()) if others else []
    if not items:
        return []
    token, value = chance.choice(items)
    return [Piece(token, f"[{token[1:].rpartition('_')[0]}]", "foreign", value)]


def written(pieces: Sequence[Piece], as_json: bool) -> str:
    """The answer as the model streams it."""
    parts = [piece.written for piece in pieces]
    return json.dumps({"answer": parts}) if as_json else MARK.join(parts)


def read(restored: str, as_json: bool) -> list[str]:
    """The pieces of what was shown."""
    if not as_json:
        return restored.split(MARK)
    try:
        parts: list[str] = json.loads(restored)["answer"]
    except ValueError:
        return []
    return parts


def _middle(token: str, change: str) -> str:
    """One character of the code changed: dropped ("-"), doubled ("+"), swapped ("~"), or replaced by `change`."""
    place = len(token) - 5
    before, character, after = token[:place], token[place], token[place + 1 :]
    if change == "-":
        return before + after
    if change == "+":
        return before + character * 2 + after
    if change == "~":
        return before + after[0] + character + after[1:]
    return before + change + after


BENDS = (
    str.lower,
    str.upper,
    str.title,
    lambda token: token[1:],
    lambda token: token[:-1],
    lambda token: token[1:-1],
    lambda token: f"[ {token[1:-1]} ]",
    lambda token: token.replace("_", " "),
    lambda token: token.replace("_", "\\_"),
    lambda token: f"[**{token[1:-1]}**]",
    lambda token: _middle(token, "x"),
    lambda token: _middle(token, "a"),
    lambda token: _middle(token, "7"),
    lambda token: _middle(token, "-"),
    lambda token: _middle(token, "+"),
    lambda token: _middle(token, "~"),
    lambda token: _middle(f"{token[:-3]}z{token[-2:]}", "x"),
)
"""What models do to tokens; the last one does two things and may stay masked."""
