"""Every check against a second implementation: on valid values, on near misses, and on random ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from models.detect.forms import checks
from models.detect.forms.checks import stdnum
from tests.bench import second_checks as second
from tests.bench.pii_values import KINDS

SEED = 7
CASES = 300
# Kind of value → the product's check and the second one, on compact values.
PAIRS: dict[str, tuple[Callable[[str], bool], Callable[[str], bool]]] = {
    "npi": (checks.npi, second.npi),
    "vin": (checks.vin, second.vin),
    "mbi": (checks.mbi, second.mbi),
    "dea": (checks.dea, second.dea),
    "nino": (checks.nino, second.nino),
    "kvnr": (checks.kvnr, second.kvnr),
    "rvnr": (checks.rvnr, second.rvnr),
    "card": (checks.luhn, second.luhn),
    "nhs": (stdnum("gb.nhs"), second.nhs),
    "routing": (stdnum("us.rtn"), second.routing),
    "idnr": (stdnum("de.idnr"), second.tax_de),
    "dni": (stdnum("es.dni"), second.dni),
    "nie": (stdnum("es.nie"), second.nie),
    "bsn": (stdnum("nl.bsn"), second.bsn),
    "nir": (stdnum("fr.nir"), second.nir),
    "ahv": (stdnum("ch.ssn"), second.ahv),
    "imei": (stdnum("imei"), second.luhn),
    "cpf": (stdnum("br.cpf"), second.cpf),
    "bitcoin": (checks.base58check, lambda _: True),
    "bech32": (checks.bech32, lambda _: True),
}
# The library asks these for more than their check digit, such as a day that exists: valid ones pass, wrong ones do not.
STRICTER = {
    "codice": (stdnum("it.codicefiscale"), second.codice_fiscale),
    "nn": (stdnum("be.nn"), second.nn_be),
    "pesel": (stdnum("pl.pesel"), second.pesel),
    "sin": (stdnum("ca.sin"), second.luhn),
    "aadhaar": (stdnum("in_.aadhaar"), second.verhoeff),
}
BY_NAME = {kind.name: kind for kind in KINDS}


def compact(value: str) -> str:
    return "".join(sign for sign in value if sign.isalnum())


def mutated(value: str, chance: random.Random) -> str:
    """One sign another of its sort, or two neighbours changed places."""
    signs = list(value)
    place = chance.randrange(len(signs) - 1)
    if chance.random() < 0.5:
        signs[place], signs[place + 1] = signs[place + 1], signs[place]
        if [sign.isdigit() for sign in signs] != [sign.isdigit() for sign in value]:
            return value
    else:
        signs[place] = chance.choice(second.DIGITS if signs[place].isdigit() else second.CAPITALS)
    return "".join(signs)


@pytest.mark.parametrize("name", sorted(set(PAIRS) - {"bitcoin", "bech32"}))
def test_two_implementations_agree(name: str) -> None:
    chance = random.Random(SEED)
    ours, theirs = PAIRS[name]
    for _ in range(CASES):
        valid = compact(BY_NAME[name].value(chance))
        assert ours(valid), valid
        near = mutated(valid, chance)
        assert ours(near) == theirs(near), near


@pytest.mark.parametrize("name", STRICTER)
def test_a_stricter_library_accepts_the_valid_and_refuses_what_the_second_refuses(name: str) -> None:
    chance = random.Random(SEED)
    ours, theirs = STRICTER[name]
    for _ in range(CASES):
        valid = compact(BY_NAME[name].value(chance))
        assert ours(valid), valid
        near = mutated(valid, chance)
        assert theirs(near) or not ours(near), near


@pytest.mark.parametrize("name", ["bitcoin", "bech32"])
def test_a_wallet_with_one_wrong_sign_is_none(name: str) -> None:
    chance = random.Random(SEED)
    check = PAIRS[name][0]
    for _ in range(200):
        valid = BY_NAME[name].value(chance)
        assert check(valid)
        place = chance.randrange(5, len(valid))
        wrong = valid[:place] + ("q" if valid[place] != "q" else "p") + valid[place + 1 :]
        assert not check(wrong)


@pytest.mark.parametrize(
    ("check", "valid", "invalid"),
    [
        (checks.npi, "1234567893", "1234567890"),  # CMS's own example
        (checks.vin, "1M8GDM9AXKP042788", "1M8GDM9A0KP042788"),  # 49 CFR 565's worked example
        (checks.mbi, "1EG4TE5MK73", "1EG4TE5MK7S"),  # CMS's example card
        (checks.dea, "AB1234563", "AB1234564"),
        (checks.nino, "AB123456C", "QQ123456C"),
        (checks.kvnr, "A123456780", "A123456781"),  # GKV-Spitzenverband's example
        (checks.rvnr, "15070649C103", "15070649C104"),  # the pension insurance's example
        (checks.card, "378282246310005", "1111111111111117"),
        (checks.base58check, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
        (
            checks.bech32,
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
    ],
)
def test_published_examples(check: Callable[[str], bool], valid: str, invalid: str) -> None:
    assert check(valid)
    assert not check(invalid)
