"""The labels of a token: nothing, or the beginning or the rest of a value of each of the contract's types.

Their order is that of the shipped network's columns.
"""

from __future__ import annotations

from typing import Final

TYPES: Final = (
    "PERSON",
    "ADDRESS",
    "LOCATION",
    "ORGANIZATION",
    "DATE",
    "DATE_OF_BIRTH",
    "AGE",
    "EMAIL",
    "PHONE",
    "FAX",
    "URL",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "CREDIT_CARD",
    "IBAN",
    "BANK_ACCOUNT",
    "ROUTING_NUMBER",
    "US_SSN",
    "TAX_ID",
    "NATIONAL_ID",
    "PASSPORT",
    "DRIVER_LICENSE",
    "MEDICAL_RECORD",
    "HEALTH_PLAN",
    "VEHICLE_ID",
    "LICENSE_PLATE",
    "DEVICE_ID",
    "USERNAME",
    "PASSWORD",
    "CRYPTO_ADDRESS",
    "NRP",
    "TITLE",
    "OTHER_ID",
)
LABELS: Final = ("O", *(f"{place}-{kind}" for kind in TYPES for place in "BI"))

TEMPERATURE: Final = "temperature"
"""The name of one more array among trained weights, of a single number: see `models.detect.decoding.Labels`."""
