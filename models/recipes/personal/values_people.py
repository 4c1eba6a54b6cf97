"""Names of people in the forms in which people write them."""

from __future__ import annotations

from models.recipes.personal.draw import Draw, Person
from models.recipes.personal.lists import Origin, words

# Shares of names that no list has, so that the tagger learns what names look like.
UNSEEN_FIRST = 0.12
UNSEEN_LAST = 0.3
DOUBLE_LAST = 0.04
SCRIPT = 0.04


def new_person(draw: Draw) -> Person:
    """A person of one origin, now the one the sentence speaks of."""
    rng = draw.rng
    origin = draw.origins[int(len(draw.origins) * rng.random())]
    female = draw.chance(0.5)
    firsts = origin.female if female else origin.male
    first, middle = rng.choice(firsts), rng.choice(firsts)
    if draw.chance(UNSEEN_FIRST):
        first = (origin.unseen_female if female else origin.unseen_male).draw(rng)
    if origin.script_last and draw.chance(SCRIPT):
        first, middle, last = rng.choice(origin.script_first), "", rng.choice(origin.script_last)
        draw.person = Person(first, middle, last, female, origin)
        return draw.person
    draw.person = Person(first, middle, last_name(draw, origin, female), female, origin)
    return draw.person


def last_name(draw: Draw, origin: Origin, female: bool) -> str:
    """A last name, in three of ten cases one that no list has."""
    last = origin.unseen.draw(draw.rng) if draw.chance(UNSEEN_LAST) else draw.rng.choice(origin.last)
    if female:
        for old, new in origin.feminine:
            if last.endswith(old):
                last = last[: len(last) - len(old)] + new
                break
    if origin.particles and draw.chance(0.12) and " " not in last:
        last = f"{draw.rng.choice(origin.particles)} {last}"
    if "'" in last and draw.chance(0.2):
        last = last.replace("'", draw.rng.choice(("", " ", "’", "`")))
    if draw.chance(DOUBLE_LAST):
        last += draw.rng.choice("--- ") + draw.rng.choice(origin.last)
    return last


def person(draw: Draw) -> str:
    """A new person's name, mostly in full."""
    who = new_person(draw)
    roll = draw.rng.random()
    if not who.first.isascii() and not who.first[0].isupper():
        return _script(who)
    if roll < 0.62:
        return _full(draw, who)
    if roll < 0.74:
        return _with_middle(draw, who)
    if roll < 0.80:
        return who.first
    if roll < 0.84:
        return who.last
    return _rare(draw, who)


def same_person(draw: Draw) -> str:
    """The person of the sentence once more, mostly in full."""
    who = draw.person or new_person(draw)
    return f"{who.first} {who.last}" if not who.origin.family_first else _full(draw, who)


def first(draw: Draw) -> str:
    """A new person's first name."""
    who = new_person(draw)
    draw.first_pending = True
    if draw.chance(0.03):
        return f"{who.first}{draw.rng.choice('- ')}{who.middle or who.first}"
    return who.first


def last(draw: Draw) -> str:
    """A last name: of the person whose first name was just said, else of a new one."""
    who = draw.person if draw.first_pending and draw.person else new_person(draw)
    draw.first_pending = False
    return who.last


def same_first(draw: Draw) -> str:
    """The first name of the sentence's person."""
    return (draw.person or new_person(draw)).first


def same_last(draw: Draw) -> str:
    """The last name of the sentence's person."""
    return (draw.person or new_person(draw)).last


def title(draw: Draw) -> str:
    """A form of address, in the sentence's language mostly."""
    table = words("titles")
    own = table.get(draw.language, table["en"])
    return draw.rng.choice(own if draw.chance(0.9) else table["en"])


def job(draw: Draw) -> str:
    """A job title."""
    table = words("jobs")
    own = table.get(draw.language, table["en"])
    name = draw.rng.choice(own)
    if own is table["en"] and draw.chance(0.45):
        name = _long_job(draw, name)
    if draw.chance(0.3):
        name = name[0].upper() + name[1:]
    return name.title() if draw.chance(0.08) else name


def _long_job(draw: Draw, name: str) -> str:
    """A title as registers of occupations have it: a rank, a field, or several fields."""
    rng, table = draw.rng, words("jobs")
    field, other, role = rng.choice(table["fields"]), rng.choice(table["fields"]), rng.choice(table["roles"])
    forms = (
        f"{rng.choice(table['rank'])} {name}",
        f"{rng.choice(table['rank'])} {name}",
        f"{field} {role}",
        f"{field} {role}",
        f"{field} and {other} {role}",
        f"{field}, {other}, and {rng.choice(table['fields'])} {role}",
        f"{rng.choice(table['rank'])} {field} {role}",
        f"head of {field}",
    )
    return forms[int(rng.random() * len(forms))]


def nrp(draw: Draw) -> str:
    """A nationality, religious or political group."""
    table = words("nrp")
    return draw.rng.choice(table.get(draw.language, table["en"]) if draw.chance(0.9) else table["en"])


def _full(draw: Draw, who: Person) -> str:
    family_first = who.origin.family_first and draw.chance(0.4)
    return f"{who.last} {who.first}" if family_first else f"{who.first} {who.last}"


def _script(who: Person) -> str:
    """Chinese, Japanese and Korean names stand without a space, the family name first."""
    return who.last + who.first


def _with_middle(draw: Draw, who: Person) -> str:
    middle = who.middle
    if not middle or draw.chance(0.7):
        middle = (middle or who.first)[0] + draw.rng.choice((".", ".", ""))
    return f"{who.first} {middle} {who.last}"


def _rare(draw: Draw, who: Person) -> str:
    initial, rng = who.first[0], draw.rng
    forms = (
        f"{who.last}, {who.first}",
        f"{who.last}, {initial}.",
        f"{initial}. {who.last}",
        f"{initial} {who.last}",
        f"{who.last} {who.first}",
        f"{who.first} {who.last[0]}.",
        f"{who.first} {rng.choice(('Jr.', 'Sr.', 'III', 'II', 'Jr'))}",
        f"{who.first} {who.last} {rng.choice(('Jr.', 'Sr.', 'III', 'Jr'))}",
        f"{initial}. {(who.middle or who.first)[0]}. {who.last}",
        f"{initial}.{(who.middle or who.first)[0]}. {who.last}",
        f"{who.first}-{who.middle or who.first} {who.last}",
        f"{who.first} {who.middle or who.first} {who.last}",
        f"{who.last.upper()}, {who.first}",
        f"{who.first} {who.last.upper()}",
        f'{who.first} "{_nickname(who.first)}" {who.last}',
        _nickname(who.first),
        f"{who.first} {who.last}-{rng.choice(who.origin.last)}",
    )
    return forms[int(rng.random() * len(forms))]


def _nickname(first_name: str) -> str:
    short = first_name[: 3 + len(first_name) % 2]
    return short + "y" if short[-1] not in "aeiouy" else short
