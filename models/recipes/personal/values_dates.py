"""Dates, partial dates and ages."""

from __future__ import annotations

from models.recipes.personal.draw import Draw
from models.recipes.personal.lists import words
from models.recipes.personal.spoken import cardinal, ordinal_word, year_words

# Languages whose month names the lists have; others use English ones.
_MONTHS = "months_"


def month(draw: Draw) -> str:
    """The name of a month in the sentence's language."""
    return draw.rng.choice(_names(draw, _MONTHS))


def weekday(draw: Draw) -> str:
    """The name of a day in the sentence's language."""
    return draw.rng.choice(_names(draw, "days_"))


def date(draw: Draw) -> str:
    """A date of any kind: a full one, a month with its year, a day with its month, a year, a time stamp."""
    rng = draw.rng
    year, roll = rng.randint(1960, 2031), rng.random()
    if draw.shape == "spoken":
        return _spoken(draw, year)
    if roll < 0.5:
        return _numbers(draw, year)
    if roll < 0.8:
        return _words(draw, year)
    if roll < 0.88:
        return str(year)
    if roll < 0.93:
        return weekday(draw)
    if roll < 0.95:
        return _short(draw, year)
    stamp = f"{year}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}{rng.choice(' T')}"
    stamp += f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    return stamp + rng.choice(("", "", "Z", ".000Z", "+01:00"))


def birth(draw: Draw) -> str:
    """A date of birth: always with day, month and year."""
    year = draw.rng.randint(1920, 2024)
    if draw.shape == "spoken":
        return _full_spoken(draw, year)
    return _numbers(draw, year) if draw.chance(0.65) else _full_words(draw, year)


def age(draw: Draw) -> str:
    """The number of years alone, in words at times."""
    number = draw.rng.choice((draw.rng.randint(1, 19), draw.rng.randint(18, 99), draw.rng.randint(18, 99)))
    if draw.shape == "spoken" or draw.chance(0.06):
        said = words_of(number, draw)
        return said.replace(" ", "-") if draw.shape != "spoken" else said
    return str(number)


def words_of(number: int, draw: Draw) -> str:
    """A number under 100 in words, where the lists have it in the language, else in digits."""
    if draw.language == "en":
        return cardinal(number)
    names = words("numbers").get(draw.language, ())
    return names[number] if number < len(names) else str(number)


def _short(draw: Draw, year: int) -> str:
    """A day and month, or a month and year, in figures."""
    rng = draw.rng
    day, mon = rng.randint(1, 30), rng.randint(1, 12)
    forms = (
        f"{mon:02}/{year}",
        f"{mon}/{year}",
        f"{year}-{mon:02}",
        f"{mon:02}.{year}",
        f"{day:02}/{mon:02}",
        f"{mon}/{day}",
        f"{day}.{mon}.",
    )
    return rng.choice(forms)


def _numbers(draw: Draw, year: int) -> str:
    rng = draw.rng
    day, mon = rng.randint(1, 28 + rng.randint(0, 2)), rng.randint(1, 12)
    d2, m2, y2 = f"{day:02}", f"{mon:02}", f"{year % 100:02}"
    day_first = draw.chance(0.3 if draw.language == "en" else 0.85)
    a, b = (day, mon) if day_first else (mon, day)
    a2, b2 = (d2, m2) if day_first else (m2, d2)
    forms = (
        f"{a}/{b}/{year}",
        f"{a2}/{b2}/{year}",
        f"{a}/{b}/{y2}",
        f"{a2}/{b2}/{y2}",
        f"{year}-{m2}-{d2}",
        f"{year}-{m2}-{d2}",
        f"{d2}.{m2}.{year}",
        f"{day}.{mon}.{year}",
        f"{day}. {mon}. {year}",
        f"{d2}.{m2}.{y2}",
        f"{a2}-{b2}-{year}",
        f"{a2}-{b2}-{y2}",
        f"{year}/{m2}/{d2}",
        f"{year}.{m2}.{d2}.",
        f"{d2} {m2} {year}",
        f"{year}{m2}{d2}",
        f"{a} / {b} / {year}",
    )
    return forms[int(rng.random() * len(forms))]


def _words(draw: Draw, year: int) -> str:
    rng, roll = draw.rng, draw.rng.random()
    day, name = rng.randint(1, 30), _month(draw)
    if roll < 0.55:
        return _full_words(draw, year)
    if roll < 0.75:
        return rng.choice(
            (f"{name} {year}", f"{name} {year}", f"{name}, {year}", f"{name[:3]} '{year % 100:02}")
        )
    if draw.language == "en":
        return rng.choice(
            (
                f"{name} {day}",
                f"{name[:3]} {day}",
                f"{day} {name[:3].lower()}",
                f"{name} {_th(day)}",
                f"the {_th(day)}",
                f"the {_th(day)} of {name}",
                f"{day} {name}",
            )
        )
    return f"{day}{'. ' if draw.language in _DOTTED else ' '}{name}"


_DOTTED = frozenset(("de", "da", "no", "nb", "fi", "cs", "sk", "hu", "is", "sl"))


def _full_words(draw: Draw, year: int) -> str:
    rng = draw.rng
    day, name = rng.randint(1, 30), _month(draw)
    if draw.language in ("es", "pt"):
        return f"{day} de {name} de {year}"
    if draw.language == "hu":
        return f"{year}. {name} {day}."
    if draw.language != "en":
        return f"{day}{'. ' if draw.language in _DOTTED else ' '}{name} {year}"
    forms = (
        f"{name} {day}, {year}",
        f"{name} {day}, {year}",
        f"{name} {day} {year}",
        f"{name} {_th(day)}, {year}",
        f"{name} {_th(day)} {year}",
        f"{day} {name} {year}",
        f"{_th(day)} {name} {year}",
        f"{_th(day)} of {name} {year}",
        f"{_th(day)} of {name}, {year}",
        f"{day}-{name[:3]}-{year}",
        f"{day:02}-{name[:3].upper()}-{year}",
        f"{name[:3]} {day}, {year}",
        f"{name[:3]}. {day}, {year}",
        f"{day} {name[:3]} {year}",
        f"{name[:3]} {day} '{year % 100:02}",
    )
    return forms[int(rng.random() * len(forms))]


def _spoken(draw: Draw, year: int) -> str:
    roll, name = draw.rng.random(), _month(draw).lower()
    if roll < 0.5:
        return _full_spoken(draw, year)
    if draw.language != "en":
        return f"{words_of(draw.rng.randint(1, 30), draw)} {name}"
    day = ordinal_word(draw.rng.randint(1, 31))
    return draw.rng.choice(
        (
            f"{name} {day}",
            f"the {day}",
            f"the {day} of {name}",
            f"{day} of {name}",
            f"{name} {year_words(year)}",
            year_words(year),
        )
    )


def _full_spoken(draw: Draw, year: int) -> str:
    rng, name = draw.rng, _month(draw).lower()
    day = rng.randint(1, 31)
    if draw.language != "en":
        return f"{words_of(day, draw)} {name} {year}"
    said, when = ordinal_word(day), year_words(year)
    number, mon = words_of(day, draw), words_of(rng.randint(1, 12), draw)
    return rng.choice(
        (
            f"{name} {said} {when}",
            f"the {said} of {name} {when}",
            f"{said} of {name} {when}",
            f"{said} {name} {when}",
            f"{name} {number} {when}",
            f"{number} {name} {when}",
            f"{number} {mon} {when}",
            f"{mon} {number} {when}",
            f"{_th(day)} of {name} {year}",
            f"{name} {_th(day)} {year}",
            f"{said} of the {ordinal_word(rng.randint(1, 12))} {when}",
        )
    )


def _th(day: int) -> str:
    suffix = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def _month(draw: Draw) -> str:
    return draw.rng.choice(_names(draw, _MONTHS))


def _names(draw: Draw, kind: str) -> tuple[str, ...]:
    table = words("calendar")
    return table.get(kind + draw.language, table[kind + "en"])
