"""The checks of identifiers a second time, written from the schemes' own descriptions and apart from the product's.

They make valid values (by drawing until one passes) and are compared with `models/detect/forms/checks.py` and with
python-stdnum. Where the product slices and tabulates, these go digit by digit.
"""

from __future__ import annotations

import hashlib
import random
import string
from itertools import cycle

DIGITS = string.digits
CAPITALS = string.ascii_uppercase


def luhn(number: str) -> bool:
    total = 0
    for place, sign in enumerate(reversed(number)):
        digit = int(sign)
        if place % 2:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return total % 10 == 0


def weighted(number: str, weights: str | tuple[int, ...]) -> int:
    return sum(int(sign) * int(weight) for sign, weight in zip(number, cycle(weights), strict=False))


def iban(value: str) -> bool:
    """ISO 7064 MOD 97-10, in pieces of seven digits as it is done by hand."""
    digits = "".join(str(CAPITALS.index(s) + 10) if s in CAPITALS else s for s in value[4:] + value[:4])
    rest = ""
    while digits:
        rest, digits = str(int(rest + digits[:7]) % 97), digits[7:]
    return rest == "1"


def nhs(number: str) -> bool:
    check = 11 - weighted(number[:9], (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return check != 10 and check % 11 == int(number[9])


def npi(number: str) -> bool:
    """CMS: the prefix 80840 is worth 24."""
    doubled = [sum(map(int, str(2 * int(sign)))) for sign in number[8::-2]]
    others = [int(sign) for sign in number[7::-2]]
    return number[0] in "12" and (24 + sum(doubled) + sum(others) + int(number[9])) % 10 == 0


def routing(number: str) -> bool:
    return weighted(number, "371") % 10 == 0


def vin(value: str) -> bool:
    values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
    if "." in value or any(sign not in values for sign in value):
        return False
    total = sum(
        values.index(s) % 10 * "0123456789X".index(w) for s, w in zip(value, "8765432X098765432", strict=True)
    )
    return "0123456789X"[total % 11] == value[8]


def mbi(value: str) -> bool:
    letters = set(CAPITALS) - set("SLOIBZ")
    digits = set(DIGITS)
    places = [
        set("123456789"),
        letters,
        letters | digits,
        digits,
        letters,
        letters | digits,
        digits,
        letters,
        letters,
    ]
    return all(sign in allowed for sign, allowed in zip(value, [*places, digits, digits], strict=True))


def dea(value: str) -> bool:
    d = [int(sign) for sign in value[2:]]
    return value[0] in "ABCDEFGHJKLMPRSTUX" and str(d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5]))[-1] == str(
        d[6]
    )


def nino(value: str) -> bool:
    first, second = value[0], value[1]
    if first in "DFIQUV" or second in "DFIQUVO" or value[:2] in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
        return False
    return value[2:8].isdigit() and value[8] in "ABCD"


def kvnr(value: str) -> bool:
    number = CAPITALS.index(value[0]) + 1
    digits = [number // 10, number % 10, *map(int, value[1:9])]
    products = [digit if place % 2 == 0 else 2 * digit for place, digit in enumerate(digits)]
    return sum(product - 9 if product > 9 else product for product in products) % 10 == int(value[9])


def rvnr(value: str) -> bool:
    day, month = int(value[2:4]), int(value[4:6])
    if day > 81 or (day > 31 and day < 51) or day == 0 or day == 50 or not 0 < month < 13:
        return False
    number = CAPITALS.index(value[8]) + 1
    digits = [*map(int, value[:8]), number // 10, number % 10, *map(int, value[9:11])]
    total = 0
    for digit, weight in zip(digits, [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1], strict=True):
        total += sum(map(int, str(digit * weight)))
    return str(total)[-1] == value[11]


def tax_de(number: str) -> bool:
    counts = sorted((number[:10].count(digit) for digit in set(number[:10])), reverse=True)
    if number[0] == "0" or counts[0] not in (2, 3) or counts[1] != 1:
        return False
    product = 10
    for sign in number[:10]:
        product = 2 * ((int(sign) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(number[10])


DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def dni(value: str) -> bool:
    return DNI_LETTERS[int(value[:8]) % 23] == value[8]


def nie(value: str) -> bool:
    return value[0] in "XYZ" and dni(str("XYZ".index(value[0])) + value[1:])


def nir(value: str) -> bool:
    return value[0] in "12" and 97 - int(value[:13]) % 97 == int(value[13:])


def codice_fiscale(value: str) -> bool:
    odd = dict(
        zip(
            CAPITALS,
            [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
            strict=True,
        )
    )
    total = 0
    for place, sign in enumerate(value[:15], 1):
        letter = CAPITALS[int(sign)] if sign.isdigit() else sign
        total += odd[letter] if place % 2 else CAPITALS.index(letter)
    return CAPITALS[total % 26] == value[15]


def bsn(number: str) -> bool:
    return number.strip("0") != "" and (weighted(number[:8], "98765432") - int(number[8])) % 11 == 0


def nn_be(number: str) -> bool:
    return int(number[9:]) in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def pesel(number: str) -> bool:
    return (10 - weighted(number[:10], "1379") % 10) % 10 == int(number[10])


def ahv(number: str) -> bool:
    return number[:3] == "756" and weighted(number, "13") % 10 == 0


def cpf(number: str) -> bool:
    for length in (9, 10):
        rest = weighted(number[:length], tuple(range(length + 1, 1, -1))) % 11
        if (0 if rest < 2 else 11 - rest) != int(number[length]):
            return False
    return len(set(number)) > 1


def verhoeff(number: str) -> bool:
    """Symmetries of a pentagon: below five turns, from five on reflections."""

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
        return 5 + (a - b) % 5 if b < 5 else (a - b) % 5

    swap = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    check = 0
    for place, sign in enumerate(reversed(number)):
        digit = int(sign)
        for _ in range(place % 8):
            digit = swap[digit]
        check = times(check, digit)
    return check == 0


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58_address(chance: random.Random) -> str:
    """A Bitcoin address of a random hash: version, hash, four bytes of a double SHA-256, in base 58."""
    body = b"\x00" + chance.randbytes(20)
    data = body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + text


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_address(chance: random.Random) -> str:
    """A Bitcoin address of version 0 (BIP 173) of a random hash."""

    def remainder(values: list[int]) -> int:
        check = 1
        for value in values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                if top >> bit & 1:
                    check ^= generator
        return check

    data = [0, *(chance.randrange(32) for _ in range(32))]
    prefix = [3, 3, 0, 2, 3]
    check = remainder([*prefix, *data, 0, 0, 0, 0, 0, 0]) ^ 1
    return "bc1" + "".join(BECH32[value] for value in [*data, *(check >> 5 * (5 - n) & 31 for n in range(6))])
