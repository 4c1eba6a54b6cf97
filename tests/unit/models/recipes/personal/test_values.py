"""Values: check digits, forms, and how they are said."""

from __future__ import annotations

from random import Random

import pytest
from stdnum import iban, luhn
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import nip, pesel
from stdnum.pt import nif
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ein, itin, rtn, ssn
from stdnum.za import idnr as za_idnr

from models.recipes.personal import lists, spoken, values_ids, values_numbers
from models.recipes.personal.draw import Draw, fill
from models.recipes.personal.recombine import Recombiner

TRIES = 300


def draw(seed: int = 1) -> Draw:
    places = tuple(lists.places().values())
    return Draw(Random(seed), "en", "chat", tuple(lists.origins().values()), places)


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (values_ids.nhs, nhs.is_valid),
        (values_ids.dni, lambda text: dni.is_valid(text.replace(".", "")) or nie.is_valid(text)),
        (values_ids.codice_fiscale, codicefiscale.is_valid),
        (values_ids.nir, nir.is_valid),
        (values_ids.bsn, bsn.is_valid),
        (values_ids.pesel, pesel.is_valid),
        (values_ids.personnummer, personnummer.is_valid),
        (values_ids.hetu, hetu.is_valid),
        (values_ids.fodselsnummer, fodselsnummer.is_valid),
        (values_ids.ahv, ahv.is_valid),
        (values_ids.national_register, nn.is_valid),
        (values_ids.sin, sin.is_valid),
        (values_ids.aadhaar, aadhaar.is_valid),
        (values_ids.tckimlik, tckimlik.is_valid),
        (values_ids.south_african, za_idnr.is_valid),
        (values_ids.rodne_cislo, rc.is_valid),
        (values_ids.ein, ein.is_valid),
        (values_ids.itin, itin.is_valid),
        (values_ids.steuer_id, idnr.is_valid),
        (values_ids.cpf, cpf.is_valid),
        (values_ids.nif, nif.is_valid),
        (values_ids.nip, nip.is_valid),
        (values_ids.tfn, tfn.is_valid),
        (values_ids.pan, pan.is_valid),
    ],
)
def test_numbers_of_states_are_valid(make, check):
    rng = Random(1)
    values = [make(rng) for _ in range(TRIES)]
    assert [value for value in values if not check(value)] == []


def test_danish_numbers_have_their_form():
    rng = Random(1)
    assert all(len(cpr.compact(values_ids.cpr(rng))) == 10 for _ in range(TRIES))


def test_cards_accounts_and_social_security_numbers_are_valid():
    d = draw()
    for _ in range(TRIES):
        card = "".join(c for c in values_numbers.credit_card(d) if c.isdigit())
        assert luhn.is_valid(card)
        assert 12 <= len(card) <= 19
        account = values_numbers.iban(d)
        assert iban.is_valid(account, check_country=False), account
        assert ssn.is_valid(values_numbers.us_ssn(d).replace(" ", "-"))


def test_routing_numbers_with_nine_digits_are_valid():
    rng = Random(1)
    assert all(rtn.is_valid(values_numbers._aba(rng)) for _ in range(TRIES))


def test_vehicle_numbers_have_the_check_digit():
    assert values_ids.vin_check("1M8GDM9AXKP042788") == "X"
    assert values_ids.vin_check("11111111111111111") == "1"


def test_fill_replaces_signs_only():
    assert fill(Random(1), "plain") == "plain"
    text = fill(Random(1), "#%@& x")
    assert text[0].isdigit()
    assert text[1] in "123456789"
    assert text[2].isupper()
    assert text.endswith(" x")


def test_recombined_words_are_mostly_new_and_made_of_the_lists_letters():
    words = lists.origins()["german"].last
    rng = Random(1)
    made = [Recombiner(words).draw(rng) for _ in range(200)]
    assert sum(word not in words for word in made) > 150
    assert set("".join(made)) <= set("".join(words))


@pytest.mark.parametrize(
    ("year", "said"),
    [
        (1987, "nineteen eighty seven"),
        (1905, "nineteen oh five"),
        (2000, "two thousand"),
        (2004, "two thousand and four"),
        (1900, "nineteen hundred"),
        (2012, "twenty twelve"),
    ],
)
def test_years_are_said(year, said):
    assert spoken.year_words(year) == said


def test_ordinals_and_mail_addresses_are_said():
    assert [spoken.ordinal_word(n) for n in (1, 12, 20, 21, 30)] == [
        "first",
        "twelfth",
        "twentieth",
        "twenty first",
        "thirtieth",
    ]
    assert spoken.address_of_mail("j.smith@gmail.com", "en") == "j dot smith at gmail dot com"
    assert spoken.address_of_mail("j.smith@gmail.com", "de") == "j punkt smith at gmail punkt com"


@pytest.mark.parametrize(
    ("text", "said"),
    [("15 oak st", "fifteen oak st"), ("87a", "eighty seven a"), ("205", {"two zero five", "two oh five"})],
)
def test_numbers_in_a_text_are_said(text, said):
    assert spoken.numbers_in(Random(2), text, "en") in ({said} if isinstance(said, str) else said)


def test_equal_digits_are_doubled_and_pairs_read_at_times():
    made = {spoken.digits(Random(seed), "+4455 0", "en") for seed in range(200)}
    assert {
        "plus four four five five zero",
        "plus double four double five oh",
        "plus four forty five fifty",
    } <= made
