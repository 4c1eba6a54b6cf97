"""Checks of values, on the value without its spaces and signs: a library's where it has the scheme, ours where not.

Each takes digits and upper-case letters and answers whether the value can be one. Pure.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from functools import cache

Check = Callable[[str], bool]

# Letters of a vehicle's number as digits (ISO 3779, 49 CFR 565.15): I, O and Q are not used.
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_CHECK_PLACE = 8

# Medicare Beneficiary Identifier (CMS, "MBI format"): S, L, O, I, B and Z are not used.
_MBI = re.compile(
    r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}"
)

# Prefixes of US National Provider Identifiers as a Luhn number (CMS, "NPI check digit").
_NPI_PREFIX = "80840"

# First letter: kind of registrant (DEA, 21 CFR 1301; M, P, R are mid-level, distributors, ...).
_DEA_FIRST = frozenset("ABCDEFGHJKLMPRSTUX")

# HMRC NIM39110: letters that are never used, and prefixes that are not allocated.
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")

# § 147 SGB VI and VKVV: area, birthday (31 is the greatest day, 32 and up mark a collision), serial number.
_RVNR = re.compile(r"[0-9]{2}[0-9]{6}[A-Z][0-9]{3}")
_RVNR_WEIGHTS = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)


def stdnum(module: str, **options: object) -> Check:
    """The check of python-stdnum's module, loaded when first needed: it has 251."""

    @cache
    def is_valid() -> Callable[..., bool]:
        found: Callable[..., bool] = importlib.import_module(f"stdnum.{module}").is_valid
        return found

    return lambda value: bool(is_valid()(value, **options))


def anything(_: str) -> bool:
    """For a form that has no check."""
    return True


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    return (sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10 == 0


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def vin(value: str) -> bool:
    """Vehicle identification number with the check digit of North America and China."""
    total = 0
    for sign, weight in zip(value, _VIN_WEIGHTS, strict=True):
        number = int(sign) if sign.isdigit() else _VIN_VALUES.get(sign)
        if number is None:
            return False
        total += number * weight
    return value[_VIN_CHECK_PLACE] == "0123456789X"[total % 11]


def vin_form(value: str) -> bool:
    """Vehicle identification number of a maker elsewhere: no check digit, but its last four are digits."""
    return value[-4:].isdigit() and not set(value) & set("IOQ") and not value.isdigit()


def mbi(value: str) -> bool:
    """US Medicare Beneficiary Identifier."""
    return _MBI.fullmatch(value) is not None


def npi(value: str) -> bool:
    """US National Provider Identifier."""
    return value[0] in "12" and luhn(_NPI_PREFIX + value)


def dea(value: str) -> bool:
    """US Drug Enforcement Administration number: two letters, six digits and their check digit."""
    digits = list(map(int, value[2:]))
    return value[0] in _DEA_FIRST and (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def nino(value: str) -> bool:
    """UK National Insurance number."""
    return _NINO.fullmatch(value) is not None


def kvnr(value: str) -> bool:
    """German health insurance number (§ 290 SGB V): the letter's place in the alphabet counts as two digits."""
    digits = f"{ord(value[0]) - ord('A') + 1:02}{value[1:]}"
    return sum(_cross(int(digit) * (1 + place % 2)) for place, digit in enumerate(digits[:-1])) % 10 == int(
        digits[-1]
    )


def rvnr(value: str) -> bool:
    """German pension insurance number."""
    day, month = int(value[2:4]), int(value[4:6])
    if _RVNR.fullmatch(value) is None or not 1 <= day % 50 <= 31 or not 1 <= month <= 12:
        return False
    digits = f"{value[:8]}{ord(value[8]) - ord('A') + 1:02}{value[9:]}"
    return sum(_cross(int(d) * w) for d, w in zip(digits, _RVNR_WEIGHTS, strict=False)) % 10 == int(
        digits[-1]
    )


def _cross(number: int) -> int:
    """Sum of its decimal digits."""
    return number // 10 + number % 10


# First digits of card numbers, with how long they are (ISO/IEC 7812 register as its members publish it).
_CARDS = (
    ("4", (13, 16, 19)),  # Visa
    ("34", (15,)),
    ("37", (15,)),  # American Express
    *((str(prefix), (16,)) for prefix in range(51, 56)),  # Mastercard
    *((str(prefix), (16,)) for prefix in range(22, 28)),
    ("30", (14, 16)),
    ("36", (14, 16, 19)),
    ("38", (14, 16)),
    ("39", (14, 16)),  # Diners Club
    ("6011", (16, 19)),
    ("64", (16, 19)),
    ("65", (16, 19)),  # Discover
    ("35", (16, 19)),  # JCB
    ("62", (16, 17, 18, 19)),  # UnionPay
    ("2131", (15,)),
    ("1800", (15,)),  # JCB, old
    *(
        (prefix, tuple(range(12, 20)))
        for prefix in ("50", "56", "57", "58", "59", "60", "61", "63", "66", "67", "68", "69")
    ),
)
_CARD_LENGTHS = {prefix: frozenset(lengths) for prefix, lengths in _CARDS}
_CARD_PREFIX_LENGTHS = (4, 2, 1)


def card(digits: str) -> bool:
    """A payment card's number: a brand's first digits and length, Luhn, and not one digit over and over."""
    prefix = next((digits[:n] for n in _CARD_PREFIX_LENGTHS if digits[:n] in _CARD_LENGTHS), None)
    return (
        prefix is not None and len(digits) in _CARD_LENGTHS[prefix] and len(set(digits)) > 1 and luhn(digits)
    )


def date_first(order: str) -> Check:
    """The first six digits are a day, as `order` "ymd" or "dmy" says; months may be raised by 20, days by 40."""
    day_place, month_place = (order.index("d") * 2, order.index("m") * 2)

    def check(value: str) -> bool:
        day, month = int(value[day_place : day_place + 2]), int(value[month_place : month_place + 2])
        return 1 <= day % 40 <= 31 and 1 <= month % 20 <= 12

    return check


_BASE58 = {sign: n for n, sign in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BASE58_CHECK_BYTES = 4
# Bytes of an address without its check: version and hash (Bitcoin and its kin), or a longer payload (Tron's is 21 too).
_BASE58_BYTES = 25


def base58check(value: str) -> bool:
    """Addresses of Bitcoin, Litecoin, Dogecoin, Tron: the last four bytes are a double SHA-256."""
    number = 0
    for sign in value:
        if sign not in _BASE58:
            return False
        number = number * 58 + _BASE58[sign]
    try:
        data = number.to_bytes(_BASE58_BYTES, "big")
    except OverflowError:
        return False
    body, check = data[:-_BASE58_CHECK_BYTES], data[-_BASE58_CHECK_BYTES:]
    return hashlib.sha256(hashlib.sha256(body).digest()).digest()[:_BASE58_CHECK_BYTES] == check


_BECH32 = {sign: n for n, sign in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# BIP 173 and its repair, BIP 350.
_BECH32_REMAINDERS = (1, 0x2BC830A3)


def bech32(value: str) -> bool:
    """Addresses of Bitcoin and Litecoin since 2017 (BIP 173, BIP 350)."""
    prefix, _, data = value.lower().rpartition("1")
    if value not in (value.lower(), value.upper()) or any(sign not in _BECH32 for sign in data):
        return False
    values = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]
    remainder = 1
    for number in (*values, *(_BECH32[sign] for sign in data)):
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate(_BECH32_GENERATOR):
            remainder ^= generator if top >> bit & 1 else 0
    return remainder in _BECH32_REMAINDERS
