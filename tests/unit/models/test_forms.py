"""What is found in ordinary sentences, and what is left alone: a case for each kind."""

from __future__ import annotations

import pytest

from models.detect.patterns import scan

FOUND = [
    ("my nhs number is 943 476 5919", "HEALTH_PLAN", "943 476 5919"),
    ("NHS 9434765919 order 1234567890", "HEALTH_PLAN", "9434765919"),
    ("GB82 WEST 1234 5698 7654 32 please", "IBAN", "GB82 WEST 1234 5698 7654 32"),
    ("gb82west12345698765432", "IBAN", "gb82west12345698765432"),
    ("my passport number is AB1234567 ok", "PASSPORT", "AB1234567"),
    ("passport no: 533380006", "PASSPORT", "533380006"),
    ("driver's license number is 2270-66-1551", "DRIVER_LICENSE", "2270-66-1551"),
    ("my driver's license number is F162823540116", "DRIVER_LICENSE", "F162823540116"),
    ("MRN 00123456", "MEDICAL_RECORD", "00123456"),
    ('{"ssn": "536221234", "orderId": "829384756"}', "US_SSN", "536221234"),
    ('{"accountNumber": "00123456789"}', "BANK_ACCOUNT", "00123456789"),
    ("account number 1234 5678 9012", "BANK_ACCOUNT", "1234 5678 9012"),
    ("routing number 021000021", "ROUTING_NUMBER", "021000021"),
    ("user name is jdoe42", "USERNAME", "jdoe42"),
    ("my password is Hunter2!", "PASSWORD", "Hunter2!"),
    ("PIN 1234", "PASSWORD", "1234"),
    ("you can call 75 196 772", "PHONE", "75 196 772"),
    ("24 428557-Office", "PHONE", "24 428557"),
    ("001-284-2821x563", "PHONE", "001-284-2821x563"),
    ("1-984-182-0190 mobile", "PHONE", "1-984-182-0190"),
    ("+46 (0)8 928 571 38", "PHONE", "+46 (0)8 928 571 38"),
    ("they're not answering at 9747 6578", "PHONE", "9747 6578"),
    ("Ann Lee\nClerk\n75 196 772\nann@example.org", "PHONE", "75 196 772"),
    ("0049 30 1234567", "PHONE", "0049 30 1234567"),
    ("(617) 555-0123 ext. 12", "PHONE", "(617) 555-0123 ext. 12"),
    ("fax: 617-555-0123", "FAX", "617-555-0123"),
    ("12345678Z", "NATIONAL_ID", "12345678Z"),
    ("RSSMRA85M01H501Q", "TAX_ID", "RSSMRA85M01H501Q"),
    ("AB 12 34 56 C", "NATIONAL_ID", "AB 12 34 56 C"),
    ("1 85 05 78 006 084 91", "NATIONAL_ID", "1 85 05 78 006 084 91"),
    ("85.07.30-033.28", "NATIONAL_ID", "85.07.30-033.28"),
    ("65 170839 J 003", "NATIONAL_ID", "65 170839 J 003"),
    ("44051401359", "NATIONAL_ID", "44051401359"),
    ("my tax id is 12-3456789", "TAX_ID", "12-3456789"),
    ("1HGCM82633A004352", "VEHICLE_ID", "1HGCM82633A004352"),
    ("1EG4-TE5-MK73", "HEALTH_PLAN", "1EG4-TE5-MK73"),
    ("licence plate B-AB 1234", "LICENSE_PLATE", "B-AB 1234"),
    ("IMEI 490154203237518", "DEVICE_ID", "490154203237518"),
    ("UDI (01)00844588003288(17)141120(10)7654321D", "DEVICE_ID", "(01)00844588003288(17)141120(10)7654321D"),
    (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "CRYPTO_ADDRESS",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    ),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO_ADDRESS", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("I live at Austin, TX 78701", "ADDRESS", "78701"),
    ("SW1A 1AA", "ADDRESS", "SW1A 1AA"),
    ("my zip code is 2200", "ADDRESS", "2200"),
    ("this 74 year old female", "AGE", "74"),
    ("retired at the age of 68", "AGE", "68"),
    ("born on 3. März 1980", "DATE_OF_BIRTH", "3. März 1980"),
    ("geboren am 03.05.1980", "DATE_OF_BIRTH", "03.05.1980"),
    ("f: 2001:db8::1", "IP_ADDRESS", "2001:db8::1"),
    ("policy number 12345678", "OTHER_ID", "12345678"),
    ("Mitgliedsnummer 123456789", "OTHER_ID", "123456789"),
    ("claim AB 123456", "OTHER_ID", "AB 123456"),
    ("born 2 / 12 / 1954", "DATE_OF_BIRTH", "2 / 12 / 1954"),
    ("Data urodzenia: 22 wrze\u015bnia 2020", "DATE_OF_BIRTH", "22 wrze\u015bnia 2020"),
    ("Fx.431.357.9996", "FAX", "431.357.9996"),
    ("record 4603669/29", "MEDICAL_RECORD", "4603669/29"),
    ("sul conto TR10 8566 4298 8202 6928 8731 22", "IBAN", "TR10 8566 4298 8202 6928 8731 22"),
    ("it goes to de 89 3704 0044 0532 0130 00", "IBAN", "de 89 3704 0044 0532 0130 00"),
    ("temporary password Pepper343!", "PASSWORD", "Pepper343!"),
    ("x\\t214.18.147.11\\ty", "IP_ADDRESS", "214.18.147.11"),
    ("john at gmail dot com", "EMAIL", "john at gmail dot com"),
    ("write to ann@gmail", "EMAIL", "ann@gmail"),
    ("it is annleegmailcom", "EMAIL", "annleegmailcom"),
    ("email annlee 56 gmailcom", "EMAIL", "annlee 56 gmailcom"),
    ("my account number is 4567", "BANK_ACCOUNT", "4567"),
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_found(text: str, kind: str, value: str) -> None:
    assert (kind, value) in [(span.type, text[span.start : span.end]) for span in scan(text)]


@pytest.mark.parametrize(
    "text",
    [
        "9434765919",  # passes the NHS's check, as one in eleven does
        "order 9434765919",
        "order number 4839201934",
        "invoice 2024-001234",
        "article no. 4006381333931",
        "isbn 978-3-16-148410-0",
        "room 214 at 9:30, floor 3, price 1,250.00 EUR",
        "we are open 08.00-17.00 and 9.00 - 12.30",
        "take 400 mg 3 times, 1200 ml per day",
        "1234567 people in 1998",
        "cost $1234567 total",
        "page 12 of 345",
        "Flight BA1234 at gate 22",
        "in 2019 2020 2021",
        "version 1.2.3.4",
        "my password is not working",
        "User: where is my parcel",
        "do you have item FX-9573-67 in stock",
        "the court fined Hospital 63.44 USD",
        "a group of 76 PUPILS",
        "in my account 1500 dollars",
        "located at 2901 East Hastings Street",
        "is gmail down",
        "the picture logo@2x.png",
        "pi is 3.14159265358979",
    ],
)
def test_left_alone(text: str) -> None:
    assert scan(text) == []
