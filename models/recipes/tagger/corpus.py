"""What the tagger is trained on, and what is kept from it to be measured on.

Sentences of our own generator; frames of presidio-research (MIT) with our values; turns of MultiDoGO (CDLA-Permissive
1.0) and EVI (CC BY 4.0) as people wrote and said them (see NOTICE). Kept out: half of presidio-research's frames, a
tenth of our frames, some origins, locales and a shape, MultiDoGO's test files.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.recipes.personal import lists
from models.recipes.personal.frames import SHAPES, parse
from models.recipes.personal.generate import generate, generate_from

HELD_ORIGINS: Final = frozenset({"korean", "east-african", "persian"})
HELD_LOCALES: Final = frozenset({"cs-CZ", "en-NZ", "en-ZA", "pt-BR"})
HELD_SHAPES: Final = frozenset({"csv"})
HELD_FRAMES_OF_256: Final = 26
MULTIDOGO: Final = ("airline", "software")

# Sentences longer than this are of form letters; a slot's value makes chat of the others.
PROSE_CHARS: Final = 90

_PRESIDIO: Final[Mapping[str, str]] = {
    "STREET_ADDRESS": "ADDRESS",
    "ZIP_CODE": "ADDRESS",
    "GPE": "LOCATION",
    "DATE_TIME": "DATE",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "DOMAIN_NAME": "URL",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "IBAN_CODE": "IBAN",
}
_MULTIDOGO: Final[Mapping[str, str]] = {
    "name": "PERSON",
    "username": "USERNAME",
    "address": "ADDRESS",
    "ssn": "US_SSN",
    "card_number": "CREDIT_CARD",
    "account_number": "BANK_ACCOUNT",
    "email_address": "EMAIL",
    "phone_number": "PHONE",
    "password": "PASSWORD",
    "booking_confirmation_number": "OTHER_ID",
}
_EVI: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "name": (
        "PERSON",
        ("my name is ", "it is ", "the name is ", "this is ", "it's under ", "yes ", "", "", "", ""),
    ),
    "postcode": ("ADDRESS", ("my postcode is ", "postcode ", "yeah it is ", "the postcode is ", "", "", "")),
    "dob": (
        "DATE_OF_BIRTH",
        ("my date of birth is ", "i was born on ", "date of birth ", "born ", "", "", ""),
    ),
}
_NO_NAME: Final = re.compile(r"(?:and|the|no|yes|it's|i|my|sorry)\b", re.IGNORECASE)
EVI_CHARS_MIN, EVI_CHARS_MAX, EVI_WORDS_MAX = 3, 60, 14
TITLE_CHARS_MAX: Final = 6
PIECE_WORDS_MAX: Final = 4
DESKS: Final = Path(__file__).parents[1] / "answerability" / "sites"
_MAY_NAME: Final = re.compile(r"(?<!^)(?<![.!?] )\b(?!I\b|I')[A-Z]|\d{4,}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with its values: (type, start, end), code points. `frame`: what is left without them, of presidio's."""

    text: str
    spans: tuple[tuple[str, int, int], ...]
    frame: str = ""


def held_frame(frame: str) -> bool:
    """Whether a frame of our own is kept out of training."""
    return hashlib.sha256(frame.encode()).digest()[0] < HELD_FRAMES_OF_256


def held_stranger(frame: str) -> bool:
    """Whether a frame of presidio-research is: by the hash of its words, the values removed."""
    words = re.sub(r"\W+", " ", frame).strip().lower()
    return hashlib.sha256(words.encode()).digest()[0] % 2 == 0


def generated(
    count: int, seed: int, *, held: bool = False, languages: Iterable[str] | None = None
) -> Iterator[Sentence]:
    """Sentences of our own: such as are trained on, or with `held` of frames, origins and locales that are not."""
    shapes = tuple(HELD_SHAPES) if held else tuple(s for s in SHAPES if s not in HELD_SHAPES)
    examples = generate(
        count,
        seed=seed,
        languages=None if languages is None else tuple(languages),
        locales=[name for name in lists.places() if (name in HELD_LOCALES) == held],
        origins=[name for name in lists.origins() if (name in HELD_ORIGINS) == held],
        shapes=None if held else shapes,
        frame_kept=lambda frame: held_frame(frame) == held,
    )
    for one in examples:
        yield Sentence(one.text, tuple((span.type, span.start, span.end) for span in one.spans))


def presidio(path: Path) -> tuple[list[Sentence], list[Sentence]]:
    """Rows of a file of presidio-research: those of frames that may be trained on, those of frames that may not.

    A template of which one row is kept out is kept out whole: templates come in lower case, too.
    """
    rows: dict[int, list[Sentence]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        spans = tuple(
            sorted(
                (_PRESIDIO.get(span["entity_type"], span["entity_type"]), span["start_position"], span["end_position"])
                for span in row["spans"]
            )
        )  # fmt: skip
        text = row["full_text"]
        rows.setdefault(row["template_id"], []).append(Sentence(text, spans, frame_of(text, spans)))
    held = {key for key, found in rows.items() if any(held_stranger(one.frame) for one in found)}
    kept = [one for key, found in rows.items() if key not in held for one in found]
    return kept, [one for key in held for one in rows[key]]


def frame_of(text: str, spans: Iterable[tuple[str, int, int]]) -> str:
    """The text with its values removed."""
    parts, place = [], 0
    for _, start, end in sorted(spans, key=lambda span: span[1]):
        parts.append(text[place:start])
        place = max(place, end)
    return "".join([*parts, text[place:]])


def with_our_values(sentences: Iterable[Sentence], count: int, seed: int) -> Iterator[Sentence]:
    """`count` sentences of others' frames, every value one of our generator's."""
    lines = sorted({_as_frame(one) for one in sentences if "{" not in one.text})
    frames = [parse(line, "en", "prose" if len(line) > PROSE_CHARS else "chat") for line in lines]
    locales = [name for name in lists.places() if name not in HELD_LOCALES]
    origins = [name for name in lists.origins() if name not in HELD_ORIGINS]
    for one in generate_from(frames, count, seed=seed, locales=locales, origins=origins):
        yield Sentence(one.text, tuple((span.type, span.start, span.end) for span in one.spans))


def _as_frame(sentence: Sentence) -> str:
    """In the generator's language; parts of an address that stand side by side are one."""
    text, parts, place = sentence.text, list[str](), 0
    for kind, start, end in _joined(sentence):
        slot = "JOB" if kind == "TITLE" and end - start > TITLE_CHARS_MAX else kind
        parts += [text[place:start], f"{{{slot}}}"]
        place = end
    return "".join([*parts, text[place:]]).replace("\n", "\\n")


def _joined(sentence: Sentence) -> list[tuple[str, int, int]]:
    places, found = {"ADDRESS", "LOCATION"}, list[tuple[str, int, int]]()
    for kind, start, end in sorted(sentence.spans, key=lambda span: span[1]):
        last = found[-1] if found else None
        if last and start < last[2]:
            continue
        beside = last and not any(map(str.isalnum, sentence.text[last[2] : start])) and start - last[2] <= 4
        if last and beside and kind in places and last[0] in places:
            found[-1] = ("ADDRESS", last[1], end)
        else:
            found.append((kind, start, end))
    return found


def multidogo(path: Path) -> Iterator[Sentence]:
    """Turns of a file; rows whose labels do not match their words are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            text, labels = row["utterance"] or "", (row["slot-labels"] or "").split()
            words = [match.span() for match in re.finditer(r"\S+", text)]
            if not words or len(words) != len(labels):
                continue
            spans = list[tuple[str, int, int]]()
            for index, label in enumerate(labels):
                kind = _MULTIDOGO.get(label)
                if kind and index and label == labels[index - 1]:
                    spans[-1] = (kind, spans[-1][1], words[index][1])
                elif kind:
                    spans.append((kind, *words[index]))
            yield Sentence(text, tuple(spans))


def evi(path: Path, count: int, seed: int) -> Iterator[Sentence]:
    """Turns that say a name, a postcode or a date of birth, some with words of ours before them."""
    rng = random.Random(seed)  # noqa: S311 - examples, not secrets
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["item"], row["transcription"].strip()) for row in csv.DictReader(file, delimiter="\t")]
    rows = [row for row in rows if EVI_CHARS_MIN <= len(row[1]) <= EVI_CHARS_MAX and _says_it(*row)]
    for item, said in rng.sample(rows, min(count, len(rows))):
        kind, openings = _EVI[item]
        opening = rng.choice(openings)
        text = f"{opening}{said}" if rng.random() < 0.5 else f"{opening}{said}".lower()
        yield Sentence(text, ((kind, len(opening), len(text)),))


def desk_questions(rng: random.Random) -> list[str]:
    """Questions to the sites that we wrote (`models/recipes/answerability`) without capitals or long numbers inside, in
    which a name could stand; as many pieces of a few words, as people type them into a search."""
    found = list[str]()
    for path in sorted(DESKS.glob("*/questions.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [
            text for text in (json.loads(line)["question"] for line in lines) if not _MAY_NAME.search(text)
        ]
    pieces = [_piece(text.split(), rng) for text in found]
    both = [*found, *pieces]
    rng.shuffle(both)
    return both


def _piece(words: Sequence[str], rng: random.Random) -> str:
    start = rng.randrange(len(words))
    return " ".join(words[start : start + rng.randint(1, PIECE_WORDS_MAX)])


def _says_it(item: str, said: str) -> bool:
    return item != "name" or (len(said.split()) <= EVI_WORDS_MAX and not _NO_NAME.match(said))
