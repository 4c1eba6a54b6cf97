"""Addresses, their parts, and places, in the forms of many locales and mixed."""

from __future__ import annotations

import re

from models.recipes.personal.draw import Draw, fill
from models.recipes.personal.lists import Place, words

UNSEEN = 0.35
# Fake and careless data sets put a street of one country into the frame of another.
MIXED = 0.12
_PART = re.compile(r"\{(\w+)\}")


def address(draw: Draw) -> str:
    """An address: mostly street and town, at times the street alone, a box or a military unit."""
    place = draw.place()
    roll = draw.rng.random()
    if roll < 0.05:
        return _military(draw)
    if roll < 0.14:
        return _street_line(draw, place)
    if roll < 0.32:
        return _scrambled(draw, place)
    if roll < 0.34:
        return _corner(draw, place)
    return _framed(draw, place, draw.rng.choice(place.frames))


def street(draw: Draw) -> str:
    """A street with or without its number, or at times a flat alone."""
    place = draw.place()
    roll = draw.rng.random()
    if roll < 0.2:
        return street_name(draw, place)
    if roll < 0.26:
        return fill(draw.rng, draw.rng.choice(place.flats))
    if roll < 0.30:
        return f"{street_name(draw, place)} {fill(draw.rng, draw.rng.choice(place.flats))}"
    return _street_line(draw, place)


def zip_code(draw: Draw) -> str:
    """A postcode."""
    return fill(draw.rng, draw.rng.choice(draw.place().zips))


def city(draw: Draw) -> str:
    """A town, at times in capitals or one that does not exist."""
    name = city_name(draw, draw.place())
    return name.upper() if draw.chance(0.06) else name


def state(draw: Draw) -> str:
    """A state, county or province."""
    for _ in range(4):
        if states := draw.place().states:
            return draw.rng.choice(states)
    return draw.rng.choice(words("countries")["states"])


def country(draw: Draw) -> str:
    """A country in the sentence's language, mostly."""
    table = words("countries")
    own = table.get(draw.language, table["en"])
    return draw.rng.choice(own if draw.chance(0.9) else table["en"])


def location(draw: Draw) -> str:
    """A town, state, country or another named place."""
    roll = draw.rng.random()
    if roll < 0.5:
        return city(draw)
    if roll < 0.75:
        return country(draw)
    if roll < 0.88:
        return state(draw)
    return draw.rng.choice(words("countries")["landmarks"])


def street_name(draw: Draw, place: Place) -> str:
    """A street of the locale, in a third of all cases from a stem that no list has."""
    rng = draw.rng
    stem = place.unseen_stems.draw(rng) if draw.chance(UNSEEN) else rng.choice(place.stems)
    if draw.chance(0.12):
        stem = rng.choice(draw.origins[int(len(draw.origins) * rng.random())].last)
    return fill(rng, rng.choice(place.streets)).replace("*", stem)


def city_name(draw: Draw, place: Place) -> str:
    """A town of the locale, or one that sounds like it."""
    return place.unseen_cities.draw(draw.rng) if draw.chance(UNSEEN) else draw.rng.choice(place.cities)


def _framed(draw: Draw, place: Place, frame: str) -> str:
    """One of the locale's frames filled, with the parts of another locale at times, over lines or on one."""
    values = {}
    for part in _PART.findall(frame):
        values[part] = _part(draw, draw.place() if draw.chance(MIXED) else place, part)
    if "city" in values and draw.chance(0.12):
        values["city"] = values["city"].upper()
    text = _PART.sub(lambda match: values[match.group(1)], frame)
    if draw.chance(0.12):
        text += f"\n{_part(draw, place, 'country')}"
    if "\n" not in text and draw.chance(0.2):
        text = text.replace(", ", "\n" if draw.chance(0.7) else ",\n")
    if "\n" in text:
        text = text.replace("\n", draw.rng.choice(_LINES))
    return text


# What stands between the lines of an address where people write it.
_LINES = ("\n", "\n", "\n ", "\n    ", ", ", ", ", ", ", ",\n", "; ", " ", "\r\n", " / ")


def _part(draw: Draw, place: Place, part: str) -> str:
    rng = draw.rng
    if part == "street":
        return street_name(draw, place)
    if part == "city":
        return city_name(draw, place)
    if part == "state":
        return rng.choice(place.states) if place.states else state(draw)
    if part == "country":
        return rng.choice(place.country)
    return fill(rng, rng.choice({"number": place.numbers, "zip": place.zips, "flat": place.flats}[part]))


def _street_line(draw: Draw, place: Place) -> str:
    """Street and number in the locale's order, or at times in the other."""
    frame = draw.rng.choice(place.frames)
    before = frame.find("{number}") < frame.find("{street}")
    name = street_name(draw, place)
    number = fill(draw.rng, draw.rng.choice(place.numbers))
    line = f"{number} {name}" if before != draw.chance(0.1) else f"{name} {number}"
    if draw.chance(0.15):
        line += draw.rng.choice((" ", ", ")) + fill(draw.rng, draw.rng.choice(place.flats))
    return line


def _scrambled(draw: Draw, place: Place) -> str:
    """Parts of several countries in one form, as careless forms and fake data sets have it."""
    rng = draw.rng
    other = draw.place()
    if draw.chance(0.25):
        return _reordered(draw, place, other)
    number = fill(rng, rng.choice(("", "", "## ", "## ", "### ", "#### ", "##### ")))
    flat = fill(
        rng,
        rng.choice(
            (
                "",
                " Suite ###",
                " Apt. ###",
                " Apt ##",
                " Unit #",
                ", Suite ##@",
                " # ##",
                " Suite ### Apt. ###",
            )
        ),
    )
    line = f"{number}{_street_line(draw, place) if draw.chance(0.8) else street_name(draw, place)}"
    if draw.chance(0.1):
        line += f" {street_name(draw, draw.place())}"
    town = city_name(draw, other)
    region = rng.choice(
        (rng.choice(other.country), country(draw), fill(rng, "@@"), fill(rng, "@@"), state(draw), _EMPTY)
    )
    code = (
        "" if draw.chance(0.25) else " " + fill(rng, rng.choice(("#####", "#####", rng.choice(other.zips))))
    )
    sep = rng.choice(("\n", "\n ", "\n ", "\n    ", ", ", ", ", " ", " ", "\n,"))
    town = town.upper() if draw.chance(0.35) else town
    if flat and "\n" in sep and draw.chance(0.5):
        flat = f"{sep.rstrip(',')}{flat.strip(' ,')}"
    if sep == "\n,":
        return f"{line}{flat}\n{town}\n, {region}\n{code}".rstrip()
    if draw.chance(0.35) and sep != ", ":
        return f"{line}{flat}{sep}{town}, {region}{code}"
    return f"{line}{flat}{sep}{town}{sep}{region}{code}"


# What exports write where they have no value.
_EMPTY = "nan"


def _reordered(draw: Draw, place: Place, other: Place) -> str:
    rng = draw.rng
    number = fill(rng, rng.choice(("#", "##", "###", "####", "#####")))
    name, town = street_name(draw, place), city_name(draw, other)
    code, flat = fill(rng, rng.choice(place.zips)), fill(rng, rng.choice(place.flats))
    frames = (
        f"{number} {name}, {town} {code}",
        f"{name} {number}, {town}, {code}",
        f"{name} {number} {code} {town}",
        f"{code} {town}, {name} {number}",
        f"{code} {number} {name} {flat}, {town}",
        f"{number} {name}\n{flat}\n{town} {code}\n{rng.choice(other.country)}",
        f"{flat}, {number} {name}, {town}",
        f"{name} {number}, {flat}, {town}, {rng.choice(place.country)}",
    )
    return frames[int(rng.random() * len(frames))]


def _military(draw: Draw) -> str:
    """A US military address: a box or ship, then the post office with its region and code."""
    rng = draw.rng
    line = fill(
        rng,
        rng.choice(
            (
                "PSC ####, Box ####",
                "Unit ##### Box ####",
                "PSC ## Box #####",
                "CMR ### Box ###",
                "USNS",
                "USS",
            )
        ),
    )
    if line.startswith("US"):
        line += f" {rng.choice(draw.origins[0].last)}"
    office = f"{rng.choice(('APO', 'FPO', 'DPO'))} {rng.choice(('AA', 'AE', 'AP'))}"
    code = fill(rng, rng.choice(("#####", "#####", "#####-####")))
    return f"{line}{rng.choice((', ', chr(10), ' '))}{office} {code}"


def _corner(draw: Draw, place: Place) -> str:
    start = draw.rng.choice(("the corner of ", "corner of ", ""))
    return f"{start}{street_name(draw, place)} and {street_name(draw, place)}"
