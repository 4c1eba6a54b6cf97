"""Valid identifiers with checksums, made by the second implementations, in sentences with and without their words.

Each kind: how random ones are drawn until one passes, how they are written, what they are called, and whether one is
known without a word beside it. A kind whose check one in ten random numbers passes is not, unless its shape is its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import second_checks as second

# Months of an Italian tax code.
_MONTHS = "ABCDEHLMPRST"


@dataclass(frozen=True)
class Kind:
    """`shapes`: "#" is the next sign of the value. `alone`: known without a word. `region`: of the site."""

    name: str
    type: str
    draw: Callable[[random.Random], str]
    check: Callable[[str], bool]
    shapes: tuple[str, ...]
    names: tuple[str, ...]
    alone: bool = True
    region: str = "US"

    def value(self, chance: random.Random) -> str:
        """A valid one, in one of its ways of writing."""
        while True:
            value = self.draw(chance)
            if self.check(value):
                break
        shapes = [shape for shape in self.shapes if shape.count("#") == len(value)]
        signs = iter(value)
        return "".join(
            next(signs) if sign == "#" else sign for sign in chance.choice(shapes or ["#" * len(value)])
        )


def _any(pattern: str) -> Callable[[random.Random], str]:
    """Random signs: 0 a digit, 9 a digit that is not zero, A a letter, X either; "yy mm dd" in small letters a day."""

    def draw(chance: random.Random) -> str:
        year, month, day = chance.randrange(100), chance.randint(1, 12), chance.randint(1, 28)
        text = pattern.replace("yy", f"{year:02}").replace("mm", f"{month:02}").replace("dd", f"{day:02}")
        return (
            "".join(_sign(sign, chance) for sign in text)
            if text == pattern
            else _filled(text, pattern, chance)
        )

    return draw


def _sign(sign: str, chance: random.Random) -> str:
    choices = {
        "0": second.DIGITS,
        "9": "123456789",
        "A": second.CAPITALS,
        "X": second.DIGITS + second.CAPITALS,
    }
    return chance.choice(choices[sign]) if sign in choices else sign


def _filled(text: str, pattern: str, chance: random.Random) -> str:
    return "".join(
        new if old in "ymd" else _sign(new, chance) for new, old in zip(text, pattern, strict=True)
    )


def _card(chance: random.Random) -> str:
    prefix, length = chance.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("35", 16)]
    )
    return prefix + "".join(chance.choices(second.DIGITS, k=length - len(prefix)))


def _iban(chance: random.Random) -> str:
    country, rest = chance.choice(
        [
            ("DE", "0" * 18),
            ("GB", "AAAA" + "0" * 14),
            ("FR", "0" * 23),
            ("ES", "0" * 20),
            ("NL", "AAAA" + "0" * 10),
            ("NO", "0" * 11),
        ]
    )
    bban = "".join(_sign(sign, chance) for sign in rest)
    return next(value for check in range(2, 99) if second.iban(value := f"{country}{check:02}{bban}"))


def _codice(chance: random.Random) -> str:
    name = "".join(chance.choices("BCDFGLMNPRSTVZ", k=6))
    day = chance.randint(1, 28) + chance.choice((0, 40))
    place = f"{chance.choice('ABCDEFGHL')}{chance.randint(100, 999)}"
    return f"{name}{chance.randrange(100):02}{chance.choice(_MONTHS)}{day:02}{place}{chance.choice(second.CAPITALS)}"


def _pesel(chance: random.Random) -> str:
    return f"{chance.randrange(20, 99)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}" + "".join(
        chance.choices(second.DIGITS, k=5)
    )


def _rvnr(chance: random.Random) -> str:
    day = f"{chance.randint(1, 28):02}{chance.randint(1, 12):02}{chance.randrange(100):02}"
    return f"{chance.choice((13, 15, 40, 65))}{day}" + "".join(_sign(sign, chance) for sign in "A000")


def _ssn(chance: random.Random) -> str:
    area = chance.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}{chance.randint(1, 99):02}{chance.randint(1, 9999):04}"


def _vin(chance: random.Random) -> str:
    signs = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    body = (
        chance.choice("12345")
        + "".join(chance.choices(signs, k=7))
        + "0"
        + "".join(chance.choices(signs, k=4))
        + "".join(chance.choices(second.DIGITS, k=4))
    )
    return next(value for check in "0123456789X" if second.vin(value := body[:8] + check + body[9:]))


def _nir(chance: random.Random) -> str:
    born = f"{chance.randrange(100):02}{chance.randint(1, 12):02}"
    place = f"{chance.randint(1, 95):02}{chance.randint(1, 990):03}"
    body = f"{chance.choice('12')}{born}{place}{chance.randint(1, 999):03}"
    return f"{body}{97 - int(body) % 97:02}"


def _nn(chance: random.Random) -> str:
    body = f"{chance.randrange(30, 99)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}{chance.randint(1, 997):03}"
    return f"{body}{97 - int(body) % 97:02}"


def _personnummer(chance: random.Random) -> str:
    return f"{chance.randrange(30, 99)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}" + "".join(
        chance.choices(second.DIGITS, k=4)
    )


def _nie(chance: random.Random) -> str:
    return chance.choice("XYZ") + _any("0000000A")(chance)


def _true(_: str) -> bool:
    return True


KINDS = (
    Kind(
        "card",
        "CREDIT_CARD",
        _card,
        second.luhn,
        ("#" * 16, "#### #### #### ####", "####-####-####-####", "#### ###### #####", "#" * 15),
        ("credit card", "card number", "Kreditkarte", "carte bancaire", "tarjeta"),
    ),
    Kind(
        "iban",
        "IBAN",
        _iban,
        second.iban,
        tuple(" ".join("#" * min(4, n - place) for place in range(0, n, 4)) for n in (15, 18, 22, 24, 27))
        + tuple("#" * n for n in (15, 18, 22, 24, 27)),
        ("IBAN", "account", "bank account", "Konto", "compte"),
    ),
    Kind(
        "ssn",
        "US_SSN",
        _ssn,
        _true,
        ("###-##-####", "### ## ####"),
        ("SSN", "social security number", "social"),
    ),
    Kind(
        "nhs",
        "HEALTH_PLAN",
        _any("9000000000"),
        second.nhs,
        ("### ### ####", "#" * 10),
        ("NHS number", "nhs no"),
        alone=False,
        region="GB",
    ),
    Kind("npi", "OTHER_ID", _any("1000000000"), second.npi, ("#" * 10,), ("NPI", "npi number"), alone=False),
    Kind(
        "routing",
        "ROUTING_NUMBER",
        _any("000000000"),
        second.routing,
        ("#" * 9,),
        ("routing number", "ABA number"),
        alone=False,
    ),
    Kind(
        "vin",
        "VEHICLE_ID",
        _vin,
        second.vin,
        ("#" * 17,),
        ("VIN", "vehicle identification number", "Fahrgestellnummer"),
    ),
    Kind(
        "mbi",
        "HEALTH_PLAN",
        _any("9AX0AX0AA00"),
        second.mbi,
        ("#" * 11, "####-###-####"),
        ("Medicare number", "MBI", "medicare id"),
    ),
    Kind("dea", "OTHER_ID", _any("AA0000000"), second.dea, ("#" * 9,), ("DEA number", "DEA")),
    Kind(
        "nino",
        "NATIONAL_ID",
        _any("AA000000A"),
        second.nino,
        ("#" * 9, "## ## ## ## #"),
        ("national insurance number", "NI number", "NINO"),
        region="GB",
    ),
    Kind(
        "kvnr",
        "HEALTH_PLAN",
        _any("A000000000"),
        second.kvnr,
        ("#" * 10,),
        ("Versichertennummer", "KVNR", "health insurance number"),
        region="DE",
    ),
    Kind(
        "rvnr",
        "NATIONAL_ID",
        _rvnr,
        second.rvnr,
        ("#" * 12, "## ###### # ###"),
        ("Rentenversicherungsnummer", "Sozialversicherungsnummer"),
        region="DE",
    ),
    Kind(
        "idnr",
        "TAX_ID",
        _any("90000000000"),
        second.tax_de,
        ("#" * 11, "## ### ### ###"),
        ("Steuer-ID", "Steueridentifikationsnummer", "tax id"),
        region="DE",
    ),
    Kind(
        "dni",
        "NATIONAL_ID",
        _any("00000000A"),
        second.dni,
        ("#" * 9, "########-#"),
        ("DNI", "dni numero"),
        region="ES",
    ),
    Kind("nie", "NATIONAL_ID", _nie, second.nie, ("#" * 9, "#-#######-#"), ("NIE",), region="ES"),
    Kind(
        "nir",
        "NATIONAL_ID",
        _nir,
        second.nir,
        ("#" * 15, "# ## ## ## ### ### ##"),
        ("numero de securite sociale", "NIR"),
        region="FR",
    ),
    Kind("codice", "TAX_ID", _codice, second.codice_fiscale, ("#" * 16,), ("codice fiscale",), region="IT"),
    Kind(
        "bsn",
        "NATIONAL_ID",
        _any("900000000"),
        second.bsn,
        ("#" * 9,),
        ("BSN", "burgerservicenummer"),
        alone=False,
        region="NL",
    ),
    Kind(
        "nn",
        "NATIONAL_ID",
        _nn,
        second.nn_be,
        ("#" * 11, "##.##.##-###.##"),
        ("rijksregisternummer", "national number"),
        region="BE",
    ),
    Kind("pesel", "NATIONAL_ID", _pesel, second.pesel, ("#" * 11,), ("PESEL", "numer PESEL"), region="PL"),
    Kind(
        "personnummer",
        "NATIONAL_ID",
        _personnummer,
        second.luhn,
        ("######-####",),
        ("personnummer",),
        region="SE",
    ),
    Kind(
        "ahv",
        "NATIONAL_ID",
        _any("7560000000000"),
        second.ahv,
        ("#" * 13, "###.####.####.##"),
        ("AHV-Nummer", "AHV"),
        region="CH",
    ),
    Kind(
        "cpf", "TAX_ID", _any("00000000000"), second.cpf, ("###.###.###-##", "#" * 11), ("CPF",), region="BR"
    ),
    Kind(
        "sin",
        "NATIONAL_ID",
        lambda chance: chance.choice("1245679") + _any("00000000")(chance),
        second.luhn,
        ("### ### ###", "###-###-###"),
        ("SIN", "social insurance number"),
        alone=False,
        region="CA",
    ),
    Kind(
        "aadhaar",
        "NATIONAL_ID",
        lambda chance: chance.choice("23456789") + _any("00000000000")(chance),
        second.verhoeff,
        ("#### #### ####",),
        ("Aadhaar", "aadhaar number"),
        alone=False,
        region="IN",
    ),
    Kind("imei", "DEVICE_ID", _any("300000000000000"), second.luhn, ("#" * 15,), ("IMEI", "device IMEI")),
    Kind("bitcoin", "CRYPTO_ADDRESS", second.base58_address, _true, (), ("bitcoin wallet", "BTC address")),
    Kind("bech32", "CRYPTO_ADDRESS", second.bech32_address, _true, (), ("bitcoin wallet", "BTC address")),
)

NAMED = (
    "my {name} is {value}",
    "{name}: {value}",
    "{value} is my {name}",
    "could you check the {name} {value} for me please",
    '{{"id": 7, "{name}": "{value}"}}',
    "hello, I moved last week. my {name} has not changed, it is still {value}, is that right?",
    "the {name} on the letter says {value} and I think it is wrong",
    "{name} {value}\ngiven at the desk",
)
BARE = (
    "{value}",
    "it is {value}",
    "sure, {value} thanks",
    "here you go: {value}.",
    "please use {value} from now on",
    "yes {value}\n",
    "({value})",
)
