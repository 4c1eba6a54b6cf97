"""The lists that values are made of: names by origin, places by locale, organisations, jobs, peoples.

Everything in `lists/` was written for this project; names and places are facts. A list is one string, its entries
separated by commas, since that reads and merges better than a quoted word a line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.recipes.personal.recombine import Recombiner

LISTS = Path(__file__).parent / "lists"


@dataclass(frozen=True, slots=True)
class Origin:
    """Names that belong together; `feminine` maps endings of last names to those that women have."""

    name: str
    female: tuple[str, ...]
    male: tuple[str, ...]
    last: tuple[str, ...]
    unseen: Recombiner
    unseen_female: Recombiner
    unseen_male: Recombiner
    particles: tuple[str, ...]
    feminine: tuple[tuple[str, str], ...]
    suffixes: tuple[str, ...]
    family_first: bool
    script_first: tuple[str, ...]
    script_last: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What an address of one locale is made of; `#` stands for a digit, `%` for 1-9, `@` for a capital letter."""

    locale: str
    language: str
    origins: tuple[str, ...]
    country: tuple[str, ...]
    cities: tuple[str, ...]
    unseen_cities: Recombiner
    states: tuple[str, ...]
    streets: tuple[str, ...]
    stems: tuple[str, ...]
    unseen_stems: Recombiner
    numbers: tuple[str, ...]
    zips: tuple[str, ...]
    flats: tuple[str, ...]
    frames: tuple[str, ...]
    phones: tuple[str, ...]


def entries(text: str) -> tuple[str, ...]:
    """The entries of a list that is written as one string."""
    return tuple(entry for part in text.split(",") if (entry := part.strip()))


@cache
def origins() -> Mapping[str, Origin]:
    """Every origin of names, by name."""
    return {path.stem: _origin(path.stem, _read(path)) for path in sorted((LISTS / "names").glob("*.toml"))}


@cache
def places() -> Mapping[str, Place]:
    """Every locale, by name, such as `de-AT`."""
    return {path.stem: _place(path.stem, _read(path)) for path in sorted((LISTS / "places").glob("*.toml"))}


@cache
def words(file: str) -> Mapping[str, tuple[str, ...]]:
    """The lists of `lists/FILE.toml`, by key."""
    return {key: entries(value) for key, value in _read(LISTS / f"{file}.toml").items()}


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _origin(name: str, table: Mapping[str, Any]) -> Origin:
    female, male, last = (entries(table[key]) for key in ("first_female", "first_male", "last"))
    return Origin(
        name=name,
        female=female,
        male=male,
        last=last,
        unseen=Recombiner(last),
        unseen_female=Recombiner(female),
        unseen_male=Recombiner(male),
        particles=entries(table.get("particles", "")),
        feminine=tuple((old, new) for old, new in table.get("feminine", [])),
        suffixes=entries(table.get("suffixes", "")),
        family_first=bool(table.get("family_first", False)),
        script_first=entries(table.get("script_first", "")),
        script_last=entries(table.get("script_last", "")),
    )


def _place(locale: str, table: Mapping[str, Any]) -> Place:
    cities, stems = entries(table["cities"]), entries(table["stems"])
    return Place(
        locale=locale,
        language=table["language"],
        origins=entries(table["origins"]),
        country=entries(table["country"]),
        cities=cities,
        unseen_cities=Recombiner(cities),
        states=entries(table.get("states", "")),
        streets=entries(table["streets"]),
        stems=stems,
        unseen_stems=Recombiner(stems),
        numbers=entries(table["numbers"]),
        zips=entries(table["zips"]),
        flats=entries(table["flats"]),
        frames=tuple(table["frames"]),
        phones=tuple(table["phones"]),
    )
