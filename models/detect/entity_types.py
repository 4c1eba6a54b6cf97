"""The types of personal values that a detector may report, as the contract lists them."""

from __future__ import annotations

from typing import Final

ENTITY_TYPES: Final = frozenset(
    """PERSON ADDRESS LOCATION ORGANIZATION DATE DATE_OF_BIRTH AGE EMAIL PHONE FAX URL IP_ADDRESS MAC_ADDRESS
    CREDIT_CARD IBAN BANK_ACCOUNT ROUTING_NUMBER US_SSN TAX_ID NATIONAL_ID PASSPORT DRIVER_LICENSE MEDICAL_RECORD
    HEALTH_PLAN VEHICLE_ID LICENSE_PLATE DEVICE_ID USERNAME PASSWORD CRYPTO_ADDRESS NRP TITLE OTHER_ID""".split()  # noqa: SIM905 - the contract's own list
)
