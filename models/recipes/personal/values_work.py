"""Organisations, and fillers that look like personal data and are none."""

from __future__ import annotations

from models.recipes.personal.draw import Draw, fill
from models.recipes.personal.lists import words
from models.recipes.personal.recombine import Recombiner
from models.recipes.personal.values_dates import month, weekday
from models.recipes.personal.values_places import city_name

__all__ = ["FILLERS", "organization"]

_unseen: list[Recombiner] = []


def organization(draw: Draw) -> str:
    """A firm, bank, clinic, agency, school or club."""
    rng, table = draw.rng, words("organisations")
    roll = rng.random()
    if roll < 0.2:
        return rng.choice(table["known"])
    if roll < 0.36:
        return _startup(draw)
    if roll < 0.5:
        return _after_people(draw)
    kinds = table.get(f"kinds_{draw.language}", table["kinds_en"]) if draw.chance(0.85) else table["kinds_en"]
    name = rng.choice(kinds)
    for hole, make in _HOLES:
        if hole in name:
            name = name.replace(hole, make(draw))
    return name


def _startup(draw: Draw) -> str:
    """One odd word, as young firms call themselves."""
    rng, table = draw.rng, words("organisations")
    if not _unseen:
        _unseen.append(Recombiner(table["coined"]))
    roll = rng.random()
    if roll < 0.06:
        name = fill(rng, rng.choice(("@@@", "@@@@", "@&@", "@@")))
    elif roll < 0.14:
        name = rng.choice(table["plain"])
    elif roll < 0.38:
        name = rng.choice(table["heads"]) + rng.choice(table["tails"])
    elif roll < 0.6:
        name = _unseen[0].draw(rng)
    elif roll < 0.8:
        name = rng.choice(table["coined"])
    else:
        name = f"{rng.choice(table['heads'])} {rng.choice(table['tails']).title()}"
    return f"{name} {rng.choice(table['forms'])}" if draw.chance(0.3) else name


def _after_people(draw: Draw) -> str:
    """A firm named after its owners."""
    rng, table = draw.rng, words("organisations")

    def owner() -> str:
        return rng.choice(draw.origins[int(len(draw.origins) * rng.random())].last)

    a, b, c = owner(), owner(), owner()
    form, trade = rng.choice(table["forms"]), rng.choice(table["trades"])
    names = (
        f"{a} & Sons",
        f"{a} and Sons",
        f"{a} & {b}",
        f"{a}, {b} and {c}",
        f"{a}, {b} & {c} LLP",
        f"{a}-{b}",
        f"{a} Group",
        f"{a} {form}",
        f"{a} {form}",
        f"{a} Brothers",
        f"{a} & Partners",
        f"{a} {trade}",
        f"{a}'s",
        f"{a} Holdings",
        f"{a} Foundation",
        f"{a} {trade} {form}",
        f"{a} & Co.",
        f"{a} Bank",
    )
    return names[int(rng.random() * len(names))]


_HOLES = (
    ("*city", lambda draw: city_name(draw, draw.place())),
    ("*last", lambda draw: draw.rng.choice(draw.origins[int(len(draw.origins) * draw.rng.random())].last)),
    ("*head", lambda draw: draw.rng.choice(words("organisations")["heads"])),
    ("*trade", lambda draw: draw.rng.choice(words("organisations")["trades"])),
    ("*saint", lambda draw: draw.rng.choice(words("organisations")["saints"])),
)


def _n(draw: Draw) -> str:
    return str(draw.rng.randint(1, 99))


def _amount(draw: Draw) -> str:
    rng = draw.rng
    number = rng.choice((rng.randint(1, 99), rng.randint(1, 999), rng.randint(100, 99999)))
    cents = rng.randint(0, 99)
    euro = f"{number},{cents:02}" if number < 1000 else f"{number // 1000}.{number % 1000:03},{cents:02}"
    plain = f"{number:,}.{cents:02}"
    if draw.language != "en":
        return rng.choice(
            (
                f"{euro} €",
                f"{number} €",
                f"{euro} EUR",
                f"{number} Euro",
                f"{plain} USD",
                f"CHF {number}.–",
                f"{number},- €",
            )
        )
    return rng.choice(
        (
            f"${plain}",
            f"${number}",
            f"£{number}",
            f"£{plain}",
            f"{number} dollars",
            f"€{number}",
            f"{plain} USD",
            f"{number} pounds",
            f"${number}k",
            f"{number} euros",
        )
    )


def _time(draw: Draw) -> str:
    rng = draw.rng
    hour, minute = rng.randint(0, 23), rng.choice((0, 15, 30, 45, rng.randint(0, 59)))
    if draw.language == "de":
        return rng.choice(
            (f"{hour}:{minute:02} Uhr", f"{hour} Uhr", f"{hour:02}:{minute:02}", f"{hour}.{minute:02} Uhr")
        )
    if draw.language != "en":
        return rng.choice(
            (f"{hour}:{minute:02}", f"{hour}h{minute:02}", f"{hour:02}:{minute:02}", f"{hour} h")
        )
    half = 1 + hour % 12
    return rng.choice(
        (
            f"{half}:{minute:02} {rng.choice(('am', 'pm', 'AM', 'PM'))}",
            f"{half}{rng.choice(('am', 'pm', ' pm'))}",
            f"{hour}:{minute:02}",
            f"{half} o'clock",
            f"{half}:{minute:02}",
        )
    )


def _hours(draw: Draw) -> str:
    rng = draw.rng
    start, end = rng.randint(7, 10), rng.randint(12, 20)
    if draw.language != "en":
        return rng.choice(
            (f"{start}–{end}", f"{start}:00-{end}:00", f"{start}.00–{end}.30", f"{start}:30 - {end}:00")
        )
    return rng.choice(
        (
            f"{start} to {end - 9}",
            f"{start}am-{1 + end % 12}pm",
            f"{start}:00-{end}:00",
            f"{start}:30 to {end}:00",
            f"{start}–{end}",
            f"{start:02}:00 - {end}:30",
        )
    )


def _room(draw: Draw) -> str:
    return fill(
        draw.rng, draw.rng.choice(("#", "##", "###", "%##@", "@###", "#.##", "@#.##", "%##-#", "0.##"))
    )


def _order(draw: Draw) -> str:
    forms = (
        "#####",
        "######",
        "#######",
        "########",
        "###-#######-#######",
        "INV-####",
        "INV-2024-####",
        "ORD#######",
        "PO ######",
        "RE-####/##",
        "#@####",
        "SKU-#####",
        "ART. ######",
        "@@-####",
        "A######",
        "TKT-#####",
        "4#######",
        "#### ####",
        "20##-####",
        "R-######",
        "##.###.##",
        "SO-#######",
    )
    return fill(draw.rng, draw.rng.choice(forms))


def _dose(draw: Draw) -> str:
    return draw.rng.choice(
        (
            "5 mg",
            "10 mg",
            "20 mg",
            "50mg",
            "100 mg",
            "250 mg",
            "400mg",
            "500 mg",
            "1 g",
            "2.5 ml",
            "5 ml",
            "10ml",
            "75 µg",
            "1000 IU",
            "2 x 500 mg",
            "0.5 mg/kg",
            "20 mg/5 ml",
            "100 IU/ml",
            "40 mg",
        )
    )


def _product(draw: Draw) -> str:
    return draw.rng.choice(words("organisations")["products"])


def _percent(draw: Draw) -> str:
    rng = draw.rng
    return rng.choice(
        (
            f"{rng.randint(1, 100)}%",
            f"{rng.randint(1, 100)} %",
            f"{rng.randint(0, 20)}.{rng.randint(1, 99)}%",
            f"{rng.randint(1, 100)} percent",
        )
    )


FILLERS = {
    "n": _n,
    "amount": _amount,
    "time": _time,
    "hours": _hours,
    "room": _room,
    "order": _order,
    "dose": _dose,
    "weekday": weekday,
    "month": month,
    "product": _product,
    "percent": _percent,
}
