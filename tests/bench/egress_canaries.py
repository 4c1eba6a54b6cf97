"""What customers say in the bench of the way out, with values that nobody else has: one of every class in each text.

Conversations of TURNS texts. In the first somebody says a name; in each other one the name comes again, in words in
which a name is hard to see. Beside it stand a value with a checksum or of the site's own pattern, and one that only the
words around it give away (a name, an address) or that has a form (an e-mail address, a telephone number).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from tests.bench.harness import BenchRefused
from tests.bench.pii_values import KINDS
from tests.bench.pii_values import Kind as Form

TURNS = 5
SITE_PATTERN = "QX-[0-9]{6}[A-Z]{2}"
SITE_SETTINGS = f"""
[[privacy.identifiers]]
name = "card of the library"
type = "OTHER_ID"
pattern = "{SITE_PATTERN}"
"""
# All kinds but those that have a form alone, and no digit that checks the others.
CHECKSUMMED = tuple(kind for kind in KINDS if kind.name not in ("ssn", "nino", "mbi"))
# Known by their word in every region, and without one in some at most.
WORD_NEEDED = frozenset({"idnr", *(kind.name for kind in KINDS if not kind.alone)})
QUESTIONS = (
    "When do you open on {day}?",
    "Can I park my car here on {day}, and what does it cost?",
    "Where is the entrance on {day}?",
    "How do I get a copy of my bill before {day}?",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
SAID_OF_NUMBERS = (
    "my {name} is {value}.",
    "{name}: {value}.",
    "could you check the {name} {value} for me please?",
    "the {name} on the letter says {value} and I think it is wrong.",
)
# A third of the numbers that need no word have none.
BARE_ONE_IN = 3
SAID_BARE = (
    "it is {value}.",
    "here you have it: {value}.",
    "{value} is what the letter says.",
    "please look for {value} in your list.",
)
SAID_OF_NAMES = (
    "I am {value}.",
    "My name is {value}.",
    "This is {value} speaking.",
    "{value} here, I called this morning.",
    "I am asking for my mother, {value}.",
)
SAID_AGAIN = (
    "It is for {value}, as I said.",
    "{value} again.",
    "{value} - is that on the list?",
    "Same as before ({value}).",
    "Can you put down {value} and the same day?",
)
SAID_OF_ADDRESSES = (
    "I live at {value}.",
    "Please send it to {value}.",
    "My new address is {value}.",
    "They should come to {value}, second floor.",
)
SAID_OF_MAIL = ("My e-mail is {value}.", "Write to {value} please.")
SAID_OF_TELEPHONES = ("My number is {value}.", "Please ring {value} after five.")
_FIRST = """
Anna John Maria Peter Susan Omar Emily George Fatima Thomas Grace Henry Laura Daniel Helen Martin Chloe Simon
Nadia Victor Alice Edward Hannah Robert Julia Samuel Irene Oliver Rachel Philip
"""
# Of surnames and streets: enough for 10,000 texts and as many at a node, at least eight letters, and as English ones
# sound.
_BEGINNINGS = """
Ashen Barrow Beckin Blaken Bramble Brighten Calder Carling Chester Cliffen Coven Crawen Dalling Danber Darrow
Denning Drayson Eastern Ellering Elmers Fallow Farring Fenwick Garring Gilders Golding Graven Hadding Halling
Hamber Harrow Haverly Hazel Heather Hollin Hunting Kelling Kender Kingsley Lambert Langer Lindley Lister Marling
Marston Melling Merri Middle Milling Morrow Norring Oakley Osmer Otters Padding Pember Penning Pickering Preston
Quarring Radding Ramsen Raven Redding Renning Ridding Rother Rowling Sadding Salter Selding Sherring Silver
Skelling Somer Stanning Sterling Stocken Stratten Sutter Swalling Tanner Tarring Thacker Thornen Tilling Tolling
Trellis Turner Under Vander Walling Warren Watering Welling Wester Whitten Willing Winter Wolder Woodlen
Worthing Yarrow Yelling
"""
_ENDS = """
wood well worth field bourne ford gate brook hurst combe stead bury more land shaw croft thorpe moor wick stone
dale cote ridge mere leigh bridge grove garth holme clough den berg strom quist feld mann court hart lock path
side smith swick thwaite tree vale ward water way bank burn cliff cross dean fen glen heath hedge hill lea marsh
mount nook park pool rise spring thorn acre barn beck birch bower cairn chard coombe crag dyke farne fleet
fold garner grange haven hythe keld knoll lund marl minster ness pike rill shire slade stoke tarn toft vane weald
wold ham ton ley by low sett son dell gill holt mill
"""
LETTERS_MIN = 8


FIRST_NAMES = _FIRST.split()


class Class(StrEnum):
    """How sure the detector may be of a value."""

    CHECKSUMMED = "checksummed"
    SITE_PATTERN = "site_pattern"
    NAMED = "named"
    """A name when it is said first. Once it was hidden it is one that the conversation's vault knows."""
    ADDRESS = "address"
    FORM = "form"
    """It has a form and no checksum: e-mail, telephone."""


@dataclass(frozen=True)
class Canary:
    """`looked_for`: what of it nobody else has."""

    kind: Class
    looked_for: str


@dataclass(frozen=True)
class Prompt:
    """What somebody says. `again`: the canary of before that stands in it, None in the first text."""

    number: int
    text: str
    canaries: Sequence[Canary]
    again: Canary | None


class Planter:
    """Values that are never used twice."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        words = [
            one + other
            for one, other in product(_BEGINNINGS.split(), _ENDS.split())
            if len(one + other) >= LETTERS_MIN
        ]
        self._chance.shuffle(words)
        self._words = iter(dict.fromkeys(words))
        self._seen: set[str] = set()
        self._prompts = 0

    def talk(self, turns: int = TURNS) -> Iterator[Prompt]:
        """One conversation."""
        name = f"{self._chance.choice(FIRST_NAMES)} {self._word()}"
        named = Canary(Class.NAMED, name.split()[1])
        for turn in range(turns):
            canaries, said = [], [self._chance.choice(QUESTIONS).format(day=self._chance.choice(DAYS))]
            made = [self._number()]
            if turn == 0:
                said.append(self._chance.choice(SAID_OF_NAMES).format(value=name))
                canaries.append(named)
            else:
                made.append(self._other())
                said.append(
                    self._chance.choice(SAID_AGAIN).format(value=self._chance.choice((name, name.split()[1])))
                )
            for canary, sentence in made:
                canaries.append(canary)
                said.append(sentence)
            self._prompts += 1
            yield Prompt(self._prompts - 1, " ".join(said), canaries, named if turn else None)

    def unsaid(self, count: int) -> list[Canary]:
        """So many numbers of cards that nobody says: what is found of them is chance."""
        card = next(kind for kind in CHECKSUMMED if kind.name == "card")
        return [
            Canary(Class.CHECKSUMMED, self._fresh(lambda: card.value(self._chance))) for _ in range(count)
        ]

    def _word(self) -> str:
        """Of a surname or a street. Raises BenchRefused once there is none left."""
        if (word := next(self._words, None)) is None:
            raise BenchRefused("There are not so many names. Ask for fewer prompts.")
        return word

    def _number(self) -> tuple[Canary, str]:
        """A value of which a machine can be sure, in a sentence."""
        if self._chance.randrange(4) == 0:
            name, kind, word_needed = "library card", Class.SITE_PATTERN, False
            value = self._fresh(lambda: f"QX-{self._chance.randrange(10**6):06}{self._letters(2)}")
        else:
            form: Form = self._chance.choice(CHECKSUMMED)
            name, kind, word_needed = form.names[0], Class.CHECKSUMMED, form.name in WORD_NEEDED
            value = self._fresh(lambda: form.value(self._chance))
        bare = not word_needed and self._chance.randrange(BARE_ONE_IN) == 0
        said = self._chance.choice(SAID_BARE if bare else SAID_OF_NUMBERS)
        return Canary(kind, value), said.format(name=name, value=value)

    def _other(self) -> tuple[Canary, str]:
        """One of which it cannot, in a sentence."""
        chance = self._chance
        match chance.randrange(3):
            case 0:
                street = self._word()
                ending = chance.choice(("Road", "Street", "Avenue", "Lane", "Close"))
                value = f"{chance.randint(1, 180)} {street} {ending}"
                return Canary(Class.ADDRESS, street), chance.choice(SAID_OF_ADDRESSES).format(value=value)
            case 1:
                value = self._fresh(
                    lambda: f"{chance.choice(FIRST_NAMES).lower()}.{self._letters(9).lower()}@example.org"
                )
                looked_for = value.partition("@")[0].partition(".")[2]
                return Canary(Class.FORM, looked_for), chance.choice(SAID_OF_MAIL).format(value=value)
            case _:
                value = self._fresh(lambda: f"07{chance.randint(100, 999)} {chance.randrange(10**6):06}")
                return Canary(Class.FORM, value), chance.choice(SAID_OF_TELEPHONES).format(value=value)

    def _letters(self, count: int) -> str:
        return "".join(self._chance.choices("ABCDEFGHJKLMNPRSTVWXYZ", k=count))

    def _fresh(self, make: Callable[[], str]) -> str:
        while (value := make()) in self._seen:
            pass
        self._seen.add(value)
        return value
