"""Numbers of cards, accounts and people, with valid check digits where their scheme has them."""

from __future__ import annotations

from random import Random

from stdnum import luhn

from models.recipes.personal import values_ids as ids
from models.recipes.personal.draw import Draw, fill
from models.recipes.personal.lists import words


def credit_card(draw: Draw) -> str:
    """A card number of some brand with its Luhn digit, grouped or not."""
    rng = draw.rng
    prefix, digits = rng.choice(words("forms")["cards"]).split()
    length = int(digits)
    body = prefix + fill(rng, "#" * (length - len(prefix) - 1))
    number = body + luhn.calc_check_digit(body)
    roll = rng.random()
    if roll < 0.5:
        return number
    sign = " " if roll < 0.8 else "-" if roll < 0.97 else "."
    if length == 15:
        return sign.join((number[:4], number[4:10], number[10:]))
    if length == 14:
        return sign.join((number[:4], number[4:10], number[10:]))
    return grouped(number, 4, sign)


def grouped(text: str, size: int, sign: str) -> str:
    """The text in groups of `size` signs."""
    return sign.join(text[i : i + size] for i in range(0, len(text), size))


def iban(draw: Draw) -> str:
    """An account number by ISO 13616, valid by its check digits, in groups of four or not."""
    rng = draw.rng
    form = rng.choice(words("forms")["ibans"])
    country, rest = form[:2], fill(rng, form[2:])
    digits = "".join(str(int(c, 36)) for c in rest + country + "00")
    number = f"{country}{98 - int(digits) % 97:02}{rest}"
    if draw.chance(0.4):
        return grouped(number, 4, " ")
    return number.lower() if draw.chance(0.04) else number


def bank_account(draw: Draw) -> str:
    """An account number within one country, at times with its sort code."""
    return fill(draw.rng, draw.rng.choice(words("forms")["bank_account"]))


def routing_number(draw: Draw) -> str:
    """A US routing number (ABA check digit), a sort code, a BIC, a transit or branch number."""
    rng = draw.rng
    roll = rng.random()
    if roll < 0.55:
        return _aba(rng)
    if roll < 0.75:
        return fill(rng, rng.choice(("##-##-##", "######", "## ## ##")))
    if roll < 0.9:
        return (
            fill(rng, "@@@@")
            + rng.choice(("DE", "GB", "FR", "US", "CH", "NL", "ES", "IT", "SE", "PL", "AT"))
            + fill(rng, rng.choice(("&&", "&&XXX", "&&###")))
        )
    return fill(rng, rng.choice(("###-###", "#####-###", "########", "@@@@0######")))


def _aba(rng: Random) -> str:
    body = f"{rng.choice((0, 1, 2, 3))}{rng.randint(1, 9)}" + fill(rng, "######")
    total = sum(int(d) * w for d, w in zip(body, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return f"{body}{-total % 10}"


def us_ssn(draw: Draw) -> str:
    """A US social security number in a range that is issued."""
    rng = draw.rng
    area = rng.choice((rng.randint(1, 665), rng.randint(667, 899)))
    parts = (f"{area:03}", f"{rng.randint(1, 99):02}", f"{rng.randint(1, 9999):04}")
    roll = rng.random()
    return "-".join(parts) if roll < 0.7 else " ".join(parts) if roll < 0.82 else "".join(parts)


def tax_id(draw: Draw) -> str:
    """A number by which a tax office knows a person or firm."""
    return draw.rng.choice(ids.TAX)(draw.rng)


def national_id(draw: Draw) -> str:
    """A number by which a state knows a person."""
    return draw.rng.choice(ids.NATIONAL)(draw.rng)


def health_plan(draw: Draw) -> str:
    """A number of a health insurance's member."""
    rng = draw.rng
    if draw.chance(0.45):
        return rng.choice(ids.HEALTH)(rng)
    return fill(rng, rng.choice(words("forms")["health_plan"]))


def passport(draw: Draw) -> str:
    """A passport's number in the form of some country."""
    return fill(draw.rng, draw.rng.choice(words("forms")["passport"]))


def driver_license(draw: Draw) -> str:
    """A driving licence's number in the form of some state."""
    rng = draw.rng
    if draw.chance(0.12):
        return fill(rng, f"@@@@@{rng.randint(0, 9)}{rng.randint(0, 6)}####@9@@")
    return fill(rng, rng.choice(words("forms")["driver_license"]))


def medical_record(draw: Draw) -> str:
    """A patient's number in a hospital, or a UK NHS number."""
    rng = draw.rng
    if draw.chance(0.1):
        return ids.nhs(rng)
    return fill(rng, rng.choice(words("forms")["medical_record"]))


def vehicle_id(draw: Draw) -> str:
    """A vehicle's 17 signs by ISO 3779, mostly with the North American check digit."""
    signs = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    maker = draw.rng.choice(
        (
            "1HG",
            "1FT",
            "WBA",
            "WVW",
            "WDB",
            "JTD",
            "KMH",
            "VF1",
            "3VW",
            "2T1",
            "5YJ",
            "SAL",
            "YV1",
            "ZFA",
            "TMB",
            "JN1",
            "1G1",
            "VSS",
        )
    )
    body = maker + "".join(draw.rng.choices(signs, k=14))
    return body[:8] + ids.vin_check(body) + body[9:]


def license_plate(draw: Draw) -> str:
    """A number plate of some country or state."""
    return fill(draw.rng, draw.rng.choice(words("forms")["license_plate"]))


def device_id(draw: Draw) -> str:
    """A device's number: IMEI, serial number, advertising identifier, ICCID."""
    rng = draw.rng
    roll = rng.random()
    if roll < 0.35:
        body = fill(rng, "35############")
        number = body + luhn.calc_check_digit(body)
        return number if draw.chance(0.6) else f"{number[:2]}-{number[2:8]}-{number[8:14]}-{number[14]}"
    if roll < 0.5:
        text = f"{rng.getrandbits(128):032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    if roll < 0.58:
        return fill(rng, "89##################")
    return fill(rng, rng.choice(words("forms")["device_id"]))


def crypto_address(draw: Draw) -> str:
    """An address of Bitcoin (valid in its old form), Ethereum or another chain."""
    rng = draw.rng
    roll = rng.random()
    if roll < 0.35:
        return ids.bitcoin(rng)
    if roll < 0.6:
        return "bc1q" + "".join(rng.choices("qpzry9x8gf2tvdw0s3jn54khce6mua7l", k=rng.choice((38, 58))))
    if roll < 0.9:
        return "0x" + "".join(rng.choices("0123456789abcdefABCDEF", k=40))
    return rng.choice(("L", "D", "r", "T")) + "".join(rng.choices(ids.BASE58, k=33))


def other_id(draw: Draw) -> str:
    """A policy, claim, booking, customer or member number."""
    return fill(draw.rng, draw.rng.choice(words("forms")["other_id"]))
