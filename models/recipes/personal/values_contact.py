"""How people are reached: e-mail, telephone, web addresses, accounts and networks."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from models.recipes.personal.draw import Draw, Person, fill
from models.recipes.personal.lists import words
from models.recipes.personal.values_people import new_person


@lru_cache(maxsize=100_000)
def plain(name: str) -> str:
    """A name in the letters that an address of e-mail may have."""
    decomposed = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    kept = "".join(c for c in decomposed if c.isascii() and c.isalnum())
    return kept.lower() or "mail"


_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "æ": "ae",
        "Æ": "Ae",
        "ð": "d",
        "þ": "th",
        "Þ": "Th",
        "ı": "i",
        "đ": "d",
        "Đ": "D",
    }
)


def email(draw: Draw) -> str:
    """An address, mostly of the person whom the sentence names."""
    known = draw.person if draw.chance(0.75) else None
    keep = draw.person
    who = known or new_person(draw)
    draw.person = keep or who
    local = _local(draw, who)
    address = f"{local}@{domain(draw, who)}"
    return _careless(draw, address) if draw.chance(0.05) else address


def _careless(draw: Draw, address: str) -> str:
    """An address as people mistype or disguise it."""
    local, host = address.split("@")
    name, dot, ending = host.rpartition(".")
    forms = (
        f"{local}@{name}",
        f"{local} @ {host}",
        f"{local}@ {host}",
        f"{local}(at){host}",
        f"{local} [at] {name} [dot] {ending}",
        f"{local} at {host}",
        f"{local}@{name},{ending}",
        f"{local}@{name}{ending}",
        f"{local}@@{host}",
        f"{local}+{draw.rng.choice(words('domains')['words'])}@{host}",
        f"{local}@{name}{dot}{ending}".upper(),
    )
    return forms[int(draw.rng.random() * len(forms))]


def domain(draw: Draw, who: Person | None = None) -> str:
    """A domain: of a large provider, of a made-up firm, or after a person."""
    rng, table = draw.rng, words("domains")
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(table["providers"])
    if roll < 0.45:
        return rng.choice(table["providers"]).split(".")[0] + "." + rng.choice(table["endings"])
    name = rng.choice(table["words"]) + rng.choice(("", "-", "")) + rng.choice(table["words"])
    if who and roll > 0.9:
        name = plain(who.last)
    if draw.chance(0.08):
        name = f"{rng.choice(table['hosts'])}.{name}"
    return f"{name}.{rng.choice(table['endings'])}"


def url(draw: Draw) -> str:
    """A web address, with or without scheme and path."""
    rng, table = draw.rng, words("domains")
    host = domain(draw)
    if draw.chance(0.35):
        host = (
            "".join(part.title() for part in host.rsplit(".", 1)[0].split("-")).replace(".", "")
            + "."
            + host.rsplit(".", 1)[1]
        )
    start = rng.choice(("https://", "https://", "http://", "http://www.", "https://www.", "www.", "www.", ""))
    path = rng.choice(
        (
            "",
            "",
            "",
            "/",
            f"/{rng.choice(table['words'])}",
            f"/{rng.choice(table['words'])}/{rng.choice(table['words'])}.html",
            fill(rng, "/p/####?id=##"),
            f"/~{_user(draw)}",
        )
    )
    return start + host + path


def username(draw: Draw) -> str:
    """A name in some system."""
    return ("@" if draw.chance(0.1) else "") + _user(draw)


def password(draw: Draw) -> str:
    """A password: a word with changes, a phrase, or random signs."""
    rng, table = draw.rng, words("domains")
    roll = rng.random()
    word = rng.choice(table["words"])
    if roll < 0.06:
        return fill(rng, rng.choice(("####", "######", "@@##@#", "#@##@##", "###&&&"))).lower()
    if roll < 0.4:
        return word.title() + fill(
            rng, rng.choice(("##", "####", "###!", "_##", "!", "#!", "@##", "$##*"))
        ).replace("@", "@")
    if roll < 0.55:
        return word.translate(str.maketrans("aeios", "@310$")) + fill(rng, rng.choice(("", "##", "####")))
    if roll < 0.7:
        return "-".join(rng.choice(table["words"]) for _ in range(rng.randint(3, 4)))
    signs = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789" + rng.choice(("", "!$%&*+#?=_^"))
    return "".join(rng.choices(signs, k=rng.randint(8, 16)))


def phone(draw: Draw) -> str:
    """A telephone number in a national, international or careless form."""
    rng = draw.rng
    if draw.chance(0.75):
        number = fill(rng, rng.choice(draw.place().phones))
    else:
        number = fill(rng, rng.choice(words("phones")["any"]))
    if draw.chance(0.06):
        number += fill(rng, rng.choice(("x###", "x####", "x#####")))
    elif draw.chance(0.05):
        number += rng.choice(
            (
                f" ext. {rng.randint(10, 9999)}",
                f"x{rng.randint(10, 99999)}",
                f" x {rng.randint(10, 999)}",
                f" ext {rng.randint(10, 999)}",
            )
        )
    roll = rng.random()
    if roll < 0.06:
        return number.replace(" ", "").replace("-", "").replace("(", "").replace(")", "")
    if roll < 0.1:
        return number.replace("-", rng.choice((".", " ", "–", " - ", "/")))
    return number


def ip_address(draw: Draw) -> str:
    """An address of version 4, or of version 6 in a full or short form."""
    rng = draw.rng
    if draw.chance(0.7):
        return ".".join(str(rng.randint(1, 254)) for _ in range(4))
    groups = [f"{rng.randrange(65536):x}" for _ in range(8)]
    if draw.chance(0.6):
        return ":".join(groups[: rng.randint(2, 5)]) + "::" + rng.choice(groups)
    return ":".join(groups)


def mac_address(draw: Draw) -> str:
    """Six bytes in hexadecimal."""
    parts = [f"{draw.rng.randrange(256):02x}" for _ in range(6)]
    text = (
        draw.rng.choice((":", "-", ":")).join(parts)
        if draw.chance(0.9)
        else "".join(parts[:2]) + "." + "".join(parts[2:4]) + "." + "".join(parts[4:])
    )
    return text.upper() if draw.chance(0.5) else text


def _local(draw: Draw, who: Person) -> str:
    rng = draw.rng
    f, name = plain(who.first), plain(who.last)
    forms = (
        f"{f}.{name}",
        f"{f}.{name}",
        f"{f}{name}",
        f"{f}_{name}",
        f"{f[0]}{name}",
        f"{f[0]}.{name}",
        f"{name}.{f}",
        f"{f}{name[0]}",
        f"{f}{rng.randint(1, 99)}",
        f"{f}{name}{rng.randint(1, 2010)}",
        f"{f}-{name}",
        f"{f.title()}{name.title()}",
        f"{f.title()}{name.title()}",
        f"{f.title()}{who.middle[:1]}{name.title()}"
        if plain(who.middle or "a") != "mail" and (who.middle or "A")[:1].isascii()
        else f,
        f,
        name,
        _user(draw),
        rng.choice(words("domains")["mailboxes"]),
    )
    return forms[int(rng.random() * len(forms))]


def _user(draw: Draw) -> str:
    rng, table = draw.rng, words("domains")
    keep = draw.person
    who = keep or new_person(draw)
    draw.person = keep
    f, name = plain(who.first), plain(who.last)
    forms = (
        f"{f}{name[:3]}",
        f"{f[0]}{name}{rng.randint(1, 99)}",
        f"{f}_{rng.randint(1, 2020)}",
        f"{rng.choice(table['words'])}_{rng.choice(table['words'])}",
        f"{rng.choice(table['words'])}{rng.randint(1, 9999)}",
        f"{f}.{name}",
        f"{f}{rng.choice(table['words'])}",
        f"x{rng.choice(table['words'])}x",
        f"{name}{f[0]}",
    )
    return forms[int(rng.random() * len(forms))]
