"""Who is meant by "Mr Smith": one of the persons that were named before, or nobody that is known. Pure.

A name is an alias of a person if it says nothing that the person's name does not, and if nobody else can be meant. Two
persons are never made one: where a title, a first name or a second person leaves a doubt, the name stays its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.privacy.pseudonyms.names import Name, Sex, parse
from edge.privacy.pseudonyms.token import Token


@dataclass(slots=True)
class _Person:
    name: Name
    token: Token
    # As the name told it, or an alias since.
    sex: Sex | None


class Persons:
    """The persons of one codebook, in the order in which they were named."""

    def __init__(self) -> None:
        self._all: list[_Person] = []

    def add(self, token: Token) -> None:
        """A person with a token of their own."""
        name = parse(token.value)
        self._all.append(_Person(name, token, name.sex))

    def find(self, value: str) -> tuple[Token, bool] | None:
        """The one person who can be meant by `value`, and whether it tells the person's sex for the first time."""
        name = parse(value)
        found = [each for each in self._all if _may_be(name, each)]
        same = [each for each in found if each.name == name]
        meant = same if len(same) == 1 else found
        if len(meant) != 1:
            return None
        person = meant[0]
        learnt = person.sex is None and bool(name.titles) and name.sex is not None
        if learnt:
            person.sex = name.sex
        return person.token, learnt

    def recall(self, code: str, value: str) -> None:
        """What an alias told of a person, found again in the vault."""
        for person in self._all:
            if person.token.code == code:
                person.sex = parse(value).sex


def _may_be(alias: Name, person: _Person) -> bool:
    """Whether the alias says nothing that the person's name does not."""
    known = person.name
    if alias.sex and person.sex and alias.sex is not person.sex:
        return False
    if alias.words == known.words:
        return alias.initials == known.initials
    if known.initials or (len(alias.words) >= len(known.words) and not _shortens(alias.words, known.words)):
        return False
    if alias.initials:
        return len(alias.words) > 1 and _ends_meet(alias.words, known.words)
    if len(alias.words) == 1:
        return alias.is_whole_word and _by_one_word(alias, known)
    return _is_part(alias.words, known.words)


def _by_one_word(alias: Name, known: Name) -> bool:
    """A first name, a family name; after a title a family name only, because "Mr Thomas" is not Thomas Miller."""
    return alias.words[0] in (known.words[1:] if alias.titles else known.words)


def _shortens(alias: Sequence[str], known: Sequence[str]) -> bool:
    """Whether as many words say less: "J Smith" of "John Smith"."""
    return len(alias) == len(known) and any(map(_is_initial, alias))


def _is_part(alias: Sequence[str], known: Sequence[str]) -> bool:
    """Whether the alias' words, or their first letters, stand in the name in this order."""
    rest = iter(known)
    return all(any(_fits(word, each) for each in rest) for word in alias)


def _ends_meet(initials: Sequence[str], known: Sequence[str]) -> bool:
    """Whether initials are those of the name: its first and its last word's, and of what stands between."""
    return (
        len(known) > 1
        and initials[0] == known[0][0]
        and initials[-1] == known[-1][0]
        and _is_part(initials, known)
    )


def _fits(word: str, known: str) -> bool:
    return word == known or (_is_initial(word) and known.startswith(word))


def _is_initial(word: str) -> bool:
    """One letter, of a script that has capitals: in Chinese one sign is a name."""
    return len(word) == 1 and word != word.upper()
