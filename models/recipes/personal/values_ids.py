"""Numbers of persons, taxes and insurance of many states, each with the check digits of its scheme."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from string import ascii_uppercase

from stdnum import ean, luhn, verhoeff
from stdnum.fr import nir as _fr_nir
from stdnum.iso7064 import mod_11_10
from stdnum.it import codicefiscale as _it_cf
from stdnum.pl import pesel as _pl_pesel
from stdnum.pt import nif as _pt_nif
from stdnum.tr import tckimlik as _tr_tc

from models.recipes.personal.draw import fill

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_Maker = Callable[[Random], str]


def _born(rng: Random) -> tuple[int, int, int]:
    return rng.randint(1930, 2015), rng.randint(1, 12), rng.randint(1, 28)


def _one_of(rng: Random, *forms: str) -> str:
    return forms[int(rng.random() * len(forms))]


def nino(rng: Random) -> str:
    """UK National Insurance number."""
    prefix = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
    if prefix in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
        prefix = "AB"
    six, end = fill(rng, "######"), rng.choice("ABCD")
    return _one_of(
        rng, f"{prefix}{six}{end}", f"{prefix} {six[:2]} {six[2:4]} {six[4:]} {end}", f"{prefix}-{six}-{end}"
    )


def nhs(rng: Random) -> str:
    """UK NHS number (modulus 11)."""
    while True:
        body = fill(rng, "%########")
        check = -sum((10 - i) * int(d) for i, d in enumerate(body)) % 11
        if check < 10:
            number = f"{body}{check}"
            return _one_of(
                rng,
                number,
                f"{number[:3]} {number[3:6]} {number[6:]}",
                f"{number[:3]}-{number[3:6]}-{number[6:]}",
            )


def dni(rng: Random) -> str:
    """Spanish DNI or NIE."""
    digits = fill(rng, "########")
    letters = "TRWAGMYFPDXBNJZSQVHLCKE"
    if rng.random() < 0.3:
        lead = rng.choice("XYZ")
        letter = letters[int(str("XYZ".index(lead)) + digits[1:]) % 23]
        return _one_of(rng, f"{lead}{digits[1:]}{letter}", f"{lead}-{digits[1:]}-{letter}")
    letter = letters[int(digits) % 23]
    return _one_of(
        rng, f"{digits}{letter}", f"{digits}-{letter}", f"{digits[:2]}.{digits[2:5]}.{digits[5:]}-{letter}"
    )


def codice_fiscale(rng: Random) -> str:
    """Italian codice fiscale."""
    year, month, day = _born(rng)
    day += 40 * (rng.random() < 0.5)
    cons = "".join(rng.choices("BCDFGLMNPRSTVZ", k=6))
    body = f"{cons}{year % 100:02}{'ABCDEHLMPRST'[month - 1]}{day:02}{rng.choice('ABCDEFGHILM')}{fill(rng, '###')}"
    return body + str(_it_cf.calc_check_digit(body))


def nir(rng: Random) -> str:
    """French social security number."""
    year, month, _ = _born(rng)
    place = f"{rng.randint(1, 95):02}{rng.randint(1, 990):03}"
    body = f"{rng.choice('12')}{year % 100:02}{month:02}{place}{rng.randint(1, 999):03}"
    key = str(_fr_nir.calc_check_digits(body))
    spaced = f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key}"
    return _one_of(rng, body + key, spaced)


def bsn(rng: Random) -> str:
    """Dutch citizen service number (eleven test)."""
    while True:
        body = fill(rng, "%#######")
        check = sum((9 - i) * int(d) for i, d in enumerate(body)) % 11
        if check < 10:
            number = f"{body}{check}"
            return _one_of(
                rng,
                number,
                f"{number[:4]}.{number[4:6]}.{number[6:]}",
                f"{number[:3]} {number[3:6]} {number[6:]}",
            )


def pesel(rng: Random) -> str:
    """Polish PESEL."""
    year, month, day = _born(rng)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{day:02}{fill(rng, '####')}"
    return body + str(_pl_pesel.calc_check_digit(body))


def personnummer(rng: Random) -> str:
    """Swedish personal number."""
    year, month, day = _born(rng)
    body = f"{year % 100:02}{month:02}{day:02}{fill(rng, '###')}"
    number = f"{body[:6]}-{body[6:]}{luhn.calc_check_digit(body)}"
    return _one_of(rng, number, f"{year // 100}{number}", number.replace("-", ""))


def hetu(rng: Random) -> str:
    """Finnish personal identity code."""
    year, month, day = _born(rng)
    date, serial = f"{day:02}{month:02}{year % 100:02}", f"{rng.randint(2, 899):03}"
    return f"{date}{'A' if year >= 2000 else '-'}{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + serial) % 31]}"


def fodselsnummer(rng: Random) -> str:
    """Norwegian national identity number."""
    while True:
        year, month, day = rng.randint(1940, 1999), rng.randint(1, 12), rng.randint(1, 28)
        body = f"{day:02}{month:02}{year % 100:02}{rng.randint(0, 499):03}"
        one = -sum(int(d) * w for d, w in zip(body, (3, 7, 6, 1, 8, 9, 4, 5, 2), strict=True)) % 11
        two = (
            -sum(
                int(d) * w for d, w in zip(body + str(one % 10), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)
            )
            % 11
        )
        if one < 10 and two < 10:
            return _one_of(rng, f"{body}{one}{two}", f"{body[:6]} {body[6:]}{one}{two}")


def cpr(rng: Random) -> str:
    """Danish CPR number; since 2007 without a check digit."""
    year, month, day = rng.randint(1940, 1999), rng.randint(1, 12), rng.randint(1, 28)
    body = f"{day:02}{month:02}{year % 100:02}"
    return _one_of(rng, f"{body}-{fill(rng, '%###')}", f"{body}{fill(rng, '%###')}")


def ahv(rng: Random) -> str:
    """Swiss AHV number."""
    body = "756" + fill(rng, "#########")
    number = body + str(ean.calc_check_digit(body))
    return _one_of(rng, f"{number[:3]}.{number[3:7]}.{number[7:11]}.{number[11:]}", number)


def national_register(rng: Random) -> str:
    """Belgian national register number."""
    year, month, day = rng.randint(1940, 1999), rng.randint(1, 12), rng.randint(1, 28)
    body = f"{year % 100:02}{month:02}{day:02}{rng.randint(1, 997):03}"
    check = f"{97 - int(body) % 97:02}"
    return _one_of(rng, f"{body[:2]}.{body[2:4]}.{body[4:6]}-{body[6:]}.{check}", body + check)


def sin(rng: Random) -> str:
    """Canadian social insurance number."""
    body = rng.choice("1234567") + fill(rng, "#######")
    number = body + luhn.calc_check_digit(body)
    return _one_of(
        rng, f"{number[:3]} {number[3:6]} {number[6:]}", f"{number[:3]}-{number[3:6]}-{number[6:]}", number
    )


def aadhaar(rng: Random) -> str:
    """Indian Aadhaar number (Verhoeff)."""
    body = rng.choice("23456789") + fill(rng, "##########")
    number = body + str(verhoeff.calc_check_digit(body))
    return _one_of(rng, f"{number[:4]} {number[4:8]} {number[8:]}", number)


def tckimlik(rng: Random) -> str:
    """Turkish identity number."""
    body = fill(rng, "%########")
    return body + str(_tr_tc.calc_check_digits(body))


def south_african(rng: Random) -> str:
    """South African identity number."""
    year, month, day = rng.randint(1940, 2004), rng.randint(1, 12), rng.randint(1, 28)
    body = f"{year % 100:02}{month:02}{day:02}{fill(rng, '####')}{rng.choice('01')}8"
    number = body + luhn.calc_check_digit(body)
    return _one_of(rng, number, f"{number[:6]} {number[6:10]} {number[10:]}")


def rodne_cislo(rng: Random) -> str:
    """Czech and Slovak birth number (multiple of 11)."""
    while True:
        year, month, day = rng.randint(1955, 1999), rng.randint(1, 12), rng.randint(1, 28)
        body = f"{year % 100:02}{month + 50 * (rng.random() < 0.5):02}{day:02}{fill(rng, '###')}"
        check = int(body) % 11
        if check < 10:
            return _one_of(rng, f"{body[:6]}/{body[6:]}{check}", f"{body}{check}")


def pension(rng: Random) -> str:
    """German pension insurance number (RVNR): digits sums of weighted digits."""
    year, month, day = _born(rng)
    birth = f"{day:02}{month:02}{year % 100:02}{rng.choice(ascii_uppercase)}"
    body = f"{rng.randint(2, 89):02}{birth}{rng.randint(0, 99):02}"
    digits = body[:8] + f"{ord(body[8]) - 64:02}" + body[9:]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    check = sum(sum(map(int, str(int(d) * w))) for d, w in zip(digits, weights, strict=True)) % 10
    number = f"{body}{check}"
    return _one_of(rng, number, f"{number[:2]} {number[2:8]} {number[8]} {number[9:]}")


def kvnr(rng: Random) -> str:
    """German health insurance number (KVNR, modified Luhn)."""
    letter, digits = rng.choice(ascii_uppercase), fill(rng, "########")
    row = f"{ord(letter) - 64:02}{digits}"
    check = sum(sum(map(int, str(int(d) * (1 + i % 2)))) for i, d in enumerate(row)) % 10
    return f"{letter}{digits}{check}"


def mbi(rng: Random) -> str:
    """US Medicare Beneficiary Identifier (form of CMS, no check digit)."""
    letters = "ACDEFGHJKMNPQRTUVWXY"
    both = letters + "0123456789"
    parts = (
        rng.choice("123456789"),
        rng.choice(letters),
        rng.choice(both),
        fill(rng, "#"),
        rng.choice(letters),
        rng.choice(both),
        fill(rng, "#"),
        rng.choice(letters),
        rng.choice(letters),
        fill(rng, "##"),
    )
    text = "".join(parts)
    return _one_of(rng, text, f"{text[:4]}-{text[4:7]}-{text[7:]}")


def medicare_au(rng: Random) -> str:
    """Australian Medicare card number."""
    body = rng.choice("23456") + fill(rng, "#######")
    check = sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9), strict=True)) % 10
    return _one_of(
        rng, f"{body[:4]} {body[4:]}{check} {rng.randint(1, 9)}", f"{body}{check}{rng.randint(1, 9)}"
    )


def ein(rng: Random) -> str:
    """US employer number."""
    return (
        f"{rng.choice(('12', '20', '26', '27', '45', '46', '81', '82', '94', '95'))}-{fill(rng, '#######')}"
    )


def itin(rng: Random) -> str:
    """US individual taxpayer number."""
    return (
        f"9{fill(rng, '##')}-{rng.choice((70, 72, 78, 80, 85, 88, 90, 91, 94, 96, 99))}-{fill(rng, '####')}"
    )


def steuer_id(rng: Random) -> str:
    """German tax number: one digit of the first ten stands twice, one not at all."""
    digits = list("0123456789")
    rng.shuffle(digits)
    digits[rng.randint(1, 9)] = digits[0]
    rng.shuffle(digits)
    if digits[0] == "0":
        digits.reverse()
    if digits[0] == "0":
        return steuer_id(rng)
    body = "".join(digits)
    number = body + str(mod_11_10.calc_check_digit(body))
    return _one_of(rng, number, f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}")


def cpf(rng: Random) -> str:
    """Brazilian CPF."""
    number = fill(rng, "#########")
    for _ in range(2):
        check = -sum(int(d) * w for d, w in zip(number, range(len(number) + 1, 1, -1), strict=True)) % 11
        number += str(check % 10)
    return _one_of(rng, f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}", number)


def nif(rng: Random) -> str:
    """Portuguese tax number."""
    body = rng.choice("123") + fill(rng, "#######")
    number = body + str(_pt_nif.calc_check_digit(body))
    return _one_of(rng, number, f"{number[:3]} {number[3:6]} {number[6:]}")


def nip(rng: Random) -> str:
    """Polish tax number."""
    while True:
        body = fill(rng, "%########")
        check = sum(int(d) * w for d, w in zip(body, (6, 5, 7, 2, 3, 4, 5, 6, 7), strict=True)) % 11
        if check < 10:
            number = f"{body}{check}"
            return _one_of(rng, number, f"{number[:3]}-{number[3:6]}-{number[6:8]}-{number[8:]}")


def tfn(rng: Random) -> str:
    """Australian tax file number."""
    while True:
        number = fill(rng, "%########")
        if sum(int(d) * w for d, w in zip(number, (1, 4, 3, 7, 5, 8, 6, 9, 10), strict=True)) % 11 == 0:
            return _one_of(rng, number, f"{number[:3]} {number[3:6]} {number[6:]}")


def pan(rng: Random) -> str:
    """Indian permanent account number."""
    return fill(rng, f"@@@{rng.choice('PPPCHF')}@####@")


def vat(rng: Random) -> str:
    """A European VAT number by its form."""
    return fill(
        rng,
        rng.choice(
            (
                "DE#########",
                "ATU########",
                "FR###########",
                "GB#########",
                "NL#########B##",
                "ESB########",
                "IT###########",
                "BE0#########",
                "GB ### #### ##",
            )
        ),
    )


def vin_check(body: str) -> str:
    """The North American check digit of a vehicle's 17 signs (49 CFR 565)."""
    values = dict(
        zip(
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
            strict=True,
        )
    )
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    rest = sum((int(c) if c.isdigit() else values[c]) * w for c, w in zip(body, weights, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def bitcoin(rng: Random) -> str:
    """A pay-to-public-key-hash address (Base58Check)."""
    body = bytes((rng.choice((0, 5)),)) + rng.randbytes(20)
    data = body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


NATIONAL: tuple[_Maker, ...] = (
    nino, nino, dni, codice_fiscale, nir, bsn, pesel, personnummer, hetu, fodselsnummer, cpr, ahv, national_register,
    sin, aadhaar, tckimlik, south_african, rodne_cislo, pension, cpf,
)  # fmt: skip
TAX: tuple[_Maker, ...] = (ein, ein, itin, itin, steuer_id, nif, nip, tfn, pan, vat, cpf, codice_fiscale)
HEALTH: tuple[_Maker, ...] = (mbi, mbi, kvnr, kvnr, medicare_au, nir)
