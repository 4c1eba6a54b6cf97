"""What each slot of a frame stands for: the type of its label, and who draws its value."""

from __future__ import annotations

from collections.abc import Callable

from models.recipes.personal import spoken
from models.recipes.personal import values_contact as contact
from models.recipes.personal import values_dates as dates
from models.recipes.personal import values_numbers as numbers
from models.recipes.personal import values_people as people
from models.recipes.personal import values_places as places
from models.recipes.personal.draw import Draw
from models.recipes.personal.lists import words
from models.recipes.personal.values_work import FILLERS, organization

Maker = Callable[[Draw], str]

LABELLED: dict[str, tuple[str, Maker]] = {
    "PERSON": ("PERSON", people.person),
    "FIRST": ("PERSON", people.first),
    "LAST": ("PERSON", people.last),
    "TITLE": ("TITLE", people.title),
    "JOB": ("TITLE", people.job),
    "NRP": ("NRP", people.nrp),
    "ORGANIZATION": ("ORGANIZATION", organization),
    "LOCATION": ("LOCATION", places.location),
    "CITY": ("LOCATION", places.city),
    "COUNTRY": ("LOCATION", places.country),
    "STATE": ("LOCATION", places.state),
    "ADDRESS": ("ADDRESS", places.address),
    "STREET": ("ADDRESS", places.street),
    "ZIP": ("ADDRESS", places.zip_code),
    "DATE": ("DATE", dates.date),
    "DOB": ("DATE_OF_BIRTH", dates.birth),
    "AGE": ("AGE", dates.age),
    "EMAIL": ("EMAIL", contact.email),
    "PHONE": ("PHONE", contact.phone),
    "FAX": ("FAX", contact.phone),
    "URL": ("URL", contact.url),
    "IP_ADDRESS": ("IP_ADDRESS", contact.ip_address),
    "MAC_ADDRESS": ("MAC_ADDRESS", contact.mac_address),
    "CREDIT_CARD": ("CREDIT_CARD", numbers.credit_card),
    "IBAN": ("IBAN", numbers.iban),
    "BANK_ACCOUNT": ("BANK_ACCOUNT", numbers.bank_account),
    "ROUTING_NUMBER": ("ROUTING_NUMBER", numbers.routing_number),
    "US_SSN": ("US_SSN", numbers.us_ssn),
    "TAX_ID": ("TAX_ID", numbers.tax_id),
    "NATIONAL_ID": ("NATIONAL_ID", numbers.national_id),
    "PASSPORT": ("PASSPORT", numbers.passport),
    "DRIVER_LICENSE": ("DRIVER_LICENSE", numbers.driver_license),
    "MEDICAL_RECORD": ("MEDICAL_RECORD", numbers.medical_record),
    "HEALTH_PLAN": ("HEALTH_PLAN", numbers.health_plan),
    "VEHICLE_ID": ("VEHICLE_ID", numbers.vehicle_id),
    "LICENSE_PLATE": ("LICENSE_PLATE", numbers.license_plate),
    "DEVICE_ID": ("DEVICE_ID", numbers.device_id),
    "USERNAME": ("USERNAME", contact.username),
    "PASSWORD": ("PASSWORD", contact.password),
    "CRYPTO_ADDRESS": ("CRYPTO_ADDRESS", numbers.crypto_address),
    "OTHER_ID": ("OTHER_ID", numbers.other_id),
}
# What `~SLOT` says of the person whom the sentence has named already.
AGAIN: dict[str, Maker] = {"PERSON": people.same_person, "FIRST": people.same_first, "LAST": people.same_last}
KNOWN = frozenset(LABELLED) | frozenset(FILLERS)

# Said digit by digit; names and towns are spelled at times.
_DIGITS = frozenset(words("spoken")["digit_slots"])
_SIGNS = frozenset(("EMAIL", "URL", "USERNAME"))
DIGITS_SAID = 0.65
SIGNS_SAID = 0.75
SPELLED = 0.12
# Outside of speech few people write their numbers in words.
SAID_IN_CHAT = 0.02


def value(draw: Draw, slot: str) -> tuple[str, str | None]:
    """A slot's value and the type of its label, None for a filler."""
    name = slot.removeprefix("~")
    if slot[0] == "~":
        again = AGAIN.get(name)
        text = again(draw) if again else draw.said.get(name) or _fresh(draw, name)
    else:
        text = _fresh(draw, name)
        draw.said[name] = text
    return text, LABELLED[name][0] if name in LABELLED else None


def _fresh(draw: Draw, name: str) -> str:
    if name in FILLERS:
        text = FILLERS[name](draw)
        return _filler_said(draw, name, text) if draw.shape == "spoken" else text
    text = LABELLED[name][1](draw)
    if draw.shape == "spoken" or (draw.shape in ("chat", "transcript") and draw.chance(SAID_IN_CHAT)):
        return _said(draw, name, text)
    return text


def _said(draw: Draw, name: str, text: str) -> str:
    if name in _DIGITS:
        return spoken.digits(draw.rng, text, draw.language) if draw.chance(DIGITS_SAID) else text.lower()
    if name in _SIGNS and draw.chance(SIGNS_SAID):
        return spoken.address_of_mail(text, draw.language)
    if name in ("FIRST", "LAST", "PERSON") and draw.chance(SPELLED):
        return spoken.spelled(draw.rng, text)
    if name in ("ADDRESS", "STREET"):
        text = " ".join(text.replace(",", " ").replace("#", "number ").lower().split())
        return spoken.numbers_in(draw.rng, text, draw.language) if draw.chance(0.5) else text
    return text.translate(_UNSAID).lower() if name == "PERSON" else text.lower()


_UNSAID = str.maketrans("", "", '.,"')


def _filler_said(draw: Draw, name: str, text: str) -> str:
    """A filler in speech: without this a number in words would always be personal."""
    if name in ("order", "room") and draw.chance(DIGITS_SAID):
        return spoken.digits(draw.rng, text, draw.language)
    if name == "amount" and draw.language == "en":
        unit = draw.rng.choice(("dollars", "pounds", "euros", "bucks", "hundred dollars"))
        text = f"{draw.rng.randint(1, 99)} {unit}"
    return spoken.numbers_in(draw.rng, text, draw.language) if draw.chance(DIGITS_SAID) else text.lower()
