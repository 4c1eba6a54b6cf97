"""Forms of numbers that states give to people: social security, tax, identity, passports, licences. Pure: tables.

`passes` of a number with a day in it counts the day too: 1 in 23 of six random digits are one.
"""

from __future__ import annotations

from models.detect.forms.checks import Check, anything, date_first, nino, rvnr, stdnum
from models.detect.forms.form import Form, countries, loose, solid, words

_NATIONAL = words("national tax ssn")
_SSN = words("ssn tax national")
_TAX = words("tax national")
_MOD_10 = 0.1
_MOD_11 = 0.09
_MOD_97 = 0.01
_DAY = 0.044


def _national(
    shapes: tuple[str, ...], prior: float, passes: float, check: Check, home: str, type_: str = "NATIONAL_ID"
) -> Form:
    return Form(type_, shapes, prior, _NATIONAL, passes, check, countries(home))


_US = (
    Form("US_SSN", ("000-00-0000",), 0.8, _SSN, 0.85, stdnum("us.ssn")),
    Form("US_SSN", ("000 00 0000", "000.00.0000"), 0.6, _SSN, 0.85, stdnum("us.ssn")),
    Form("US_SSN", ("000000000",), 0.01, _SSN, 0.85, stdnum("us.ssn"), countries("US")),
    # Invalid ones are typed, too: examples, slips, and numbers that were never given out.
    Form("US_SSN", ("000-00-0000", "000 00 0000"), 0.55, _SSN),
    Form("US_SSN", ("000000000", "000~00~0000", "000~000~000"), 0.004, _SSN),
    Form("TAX_ID", ("000-00-0000", "000 00 0000"), 0.8, words("tax"), 0.03, stdnum("us.itin")),
    Form("TAX_ID", ("00-0000000",), 0.3, words("tax"), 0.85, stdnum("us.ein"), countries("US")),
    Form("TAX_ID", ("000000000",), 0.003, words("tax"), 0.85, stdnum("us.ein"), countries("US")),
)

_EUROPE = (
    Form(
        "NATIONAL_ID",
        ("AA000000A", "AA~00~00~00~A", "AA000000~A"),
        0.5,
        words("national"),
        0.15,
        nino,
        countries("GB"),
    ),
    Form("NATIONAL_ID", ("AA000000A", "AA~00~00~00~A", "AA000000"), 0.004, words("national")),
    Form(
        "TAX_ID",
        ("0000000000", "00000~00000"),
        0.003,
        words("tax"),
        _MOD_11,
        stdnum("gb.utr"),
        countries("GB"),
    ),
    Form("TAX_ID", ("00000000000", "00~000~000~000"), 0.03, _TAX, 0.05, stdnum("de.idnr"), countries("DE")),
    Form("TAX_ID", ("000/000/00000", "00/000/00000", "000/0000/0000", "0000000000000"), 0.003, words("tax")),
    Form(
        "NATIONAL_ID",
        ("00~000000~A~000", "00000000A000"),
        0.3,
        words("national ssn"),
        0.02,
        rvnr,
        countries("DE"),
    ),
    # Germany's identity card: nine signs without vowels and a check digit.
    Form("NATIONAL_ID", ("A????????", "A?????????"), 0.002, words("national")),
    _national(("00000000A", "00000000~A", "00.000.000~A"), 0.2, 0.04, stdnum("es.dni"), "ES"),
    _national(("A0000000A", "A~0000000~A"), 0.2, 0.006, stdnum("es.nie"), "ES"),
    _national(("00000000", "00.000.000"), 0.002, 1.0, anything, "ES AR CO PE"),
    _national(
        (
            "000000000000000",
            "0~00~00~00~000~000~00",
            "0000000000000~00",
            "0~00~00~0?~000~000~00",
            "00000?000000000",
        ),
        0.1,
        0.004,
        stdnum("fr.nir"),
        "FR",
    ),
    _national(
        ("AAAAAA00A00A000A", "AAA~AAA~00A00~A000A", "AAAAAA??A??A???A"),
        0.5,
        0.001,
        stdnum("it.codicefiscale"),
        "IT",
        "TAX_ID",
    ),
    _national(("000000000", "0000.00.000", "000~000~000"), 0.006, _MOD_11, stdnum("nl.bsn"), "NL"),
    _national(
        ("00000000000", "00.00.00-000.00", "000000~000~00", "00.00.00~000-00"),
        0.05,
        _MOD_97 * _DAY,
        stdnum("be.nn"),
        "BE",
    ),
    _national(("00000000000",), 0.03, _MOD_10 * _DAY, stdnum("pl.pesel"), "PL"),
    _national(("000000-0000", "00000000-0000"), 0.2, _MOD_10 * _DAY, stdnum("se.personnummer"), "SE"),
    _national(("0000000000", "000000000000"), 0.004, _MOD_10 * _DAY, stdnum("se.personnummer"), "SE"),
    _national(("000.0000.0000.00", "0000000000000", "000~0000~0000~00"), 0.1, 0.0001, stdnum("ch.ssn"), "CH"),
    _national(("0000-000000", "0000 000000"), 0.015, _MOD_10 * _DAY, stdnum("at.vnr"), "AT"),
    _national(("0000000000",), 0.002, _MOD_10 * _DAY, stdnum("at.vnr"), "AT"),
    _national(("000000-0000",), 0.1, _DAY, date_first("dmy"), "DK"),
    _national(("0000000000",), 0.003, _DAY * _MOD_11, stdnum("dk.cpr"), "DK"),
    _national(("00000000000", "000000~00000"), 0.05, _DAY * _MOD_97, stdnum("no.fodselsnummer"), "NO"),
    _national(("000000-000?", "000000A000?"), 0.2, _DAY * 0.03, stdnum("fi.hetu"), "FI"),
    _national(("000000/0000",), 0.2, _DAY * _MOD_11, stdnum("cz.rc"), "CZ SK"),
    _national(("0000000000000",), 0.02, _DAY * _MOD_11, stdnum("ro.cnp"), "RO"),
    _national(("0000000000",), 0.003, _DAY * _MOD_11, stdnum("bg.egn"), "BG"),
    _national(("00000000000",), 0.004, _MOD_10, stdnum("hr.oib"), "HR"),
    _national(("0000000000000",), 0.02, _DAY * _MOD_11, stdnum("si.emso"), "SI RS BA ME MK"),
    _national(("00000000000",), 0.02, _DAY * _MOD_10, stdnum("ee.ik"), "EE LT"),
    _national(("00000000000",), 0.02, _DAY * _MOD_10, stdnum("gr.amka"), "GR"),
    _national(("0000000A", "0000000AA", "0000000~A", "0000000~AA"), 0.05, 0.045, stdnum("ie.pps"), "IE"),
    _national(("000000000", "000~000~000"), 0.003, 0.05, stdnum("pt.nif"), "PT", "TAX_ID"),
    _national(("000000000~0~AA0", "00000000~0~AA0", "000000000AA0"), 0.1, 0.01, stdnum("pt.cc"), "PT"),
    _national(("00000000000",), 0.01, 0.01, stdnum("tr.tckimlik"), "TR"),
    _national(("000-000-00-00", "0000000000"), 0.003, _MOD_11, stdnum("pl.nip"), "PL", "TAX_ID"),
)

_WORLD = (
    _national(("000-000-000", "000 000 000"), 0.06, _MOD_10, stdnum("ca.sin"), "CA"),
    _national(("000000000",), 0.002, _MOD_10, stdnum("ca.sin"), "CA"),
    _national(("000000000", "000~000~000"), 0.006, _MOD_11, stdnum("au.tfn"), "AU", "TAX_ID"),
    _national(
        ("00000000", "000000000", "00-000-000", "000-000-000"),
        0.003,
        _MOD_11,
        stdnum("nz.ird"),
        "NZ",
        "TAX_ID",
    ),
    _national(("000.000.000-00",), 0.6, 0.01, stdnum("br.cpf"), "BR", "TAX_ID"),
    _national(("00000000000",), 0.02, 0.01, stdnum("br.cpf"), "BR", "TAX_ID"),
    _national(("0000 0000 0000", "0000-0000-0000"), 0.1, _MOD_10, stdnum("in_.aadhaar"), "IN"),
    _national(("000000000000",), 0.004, _MOD_10, stdnum("in_.aadhaar"), "IN"),
    _national(("AAAAA0000A",), 0.4, 0.3, stdnum("in_.pan"), "IN", "TAX_ID"),
    _national(("AAAA000000AAAAAA00", "AAAA000000AAAAAA?0"), 0.5, 0.001, stdnum("mx.curp"), "MX"),
    _national(("AAAA000000???",), 0.4, 0.04, stdnum("mx.rfc"), "MX", "TAX_ID"),
    _national(
        ("00000000-?", "0000000-?", "00.000.000-?", "0.000.000-?"), 0.1, _MOD_11, stdnum("cl.rut"), "CL"
    ),
    _national(("00-00000000-0",), 0.1, _MOD_11, stdnum("ar.cuit"), "AR", "TAX_ID"),
    _national(("0000000000000", "000000~0000~000"), 0.02, _DAY * _MOD_10, stdnum("za.idnr"), "ZA"),
    _national(("000000-0000000",), 0.3, _DAY, date_first("ymd"), "KR"),
    _national(("00000000000000000?",), 0.2, 0.001, stdnum("cn.ric"), "CN"),
    _national(("00000-0000000-0",), 0.3, 0.5, stdnum("pk.cnic"), "PK"),
    _national(("000000-00-0000",), 0.2, _DAY, stdnum("my.nric"), "MY"),
    _national(("0-0000-00000-00-0", "0000000000000"), 0.01, _MOD_10, stdnum("th.pin"), "TH"),
    _national(("000000000",), 0.003, _MOD_10, stdnum("il.idnr"), "IL"),
)

_LETTER_THEN_DIGITS = tuple("A" * letters + "0" * digits for letters in (1, 2, 3) for digits in range(5, 9))

_DOCUMENTS = (
    Form("PASSPORT", solid("0", range(7, 10)), 0.002, words("passport")),
    Form("PASSPORT", _LETTER_THEN_DIGITS, 0.004, words("passport")),
    Form(
        "PASSPORT",
        ("A????????", "C????????", "00AA00000", "AA~000000", "AA~0000000", "A~0000000", "00~00~000000"),
        0.003,
        words("passport"),
    ),
    Form("DRIVER_LICENSE", solid("0", range(6, 15)), 0.002, words("license")),
    Form(
        "DRIVER_LICENSE",
        (*_LETTER_THEN_DIGITS, "A000-0000-0000", "A000 0000 0000", "A000-000-00-000-0"),
        0.002,
        words("license"),
    ),
    Form("DRIVER_LICENSE", solid("?", range(6, 18)), 0.0015, words("license")),
    Form("DRIVER_LICENSE", loose("?", range(6, 18)), 0.0011, words("license")),
    # The United Kingdom's: five of the surname, the day of birth, initials.
    Form(
        "DRIVER_LICENSE",
        ("AAAAA000000??0AA", "AAAAA000000AA0AA", "AAAAA~000000~??0AA"),
        0.6,
        words("license"),
        0.2,
    ),
)

_NAMED = (
    _national(solid("0", range(6, 15)), 0.0012, 1.0, anything, ""),
    _national((*solid("?", range(7, 15)), *loose("?", range(7, 15))), 0.0011, 1.0, anything, ""),
    Form("TAX_ID", (*solid("?", range(8, 14)), *loose("?", range(8, 14))), 0.0012, words("tax")),
    Form("US_SSN", ("000~00~0000",), 0.004, words("ssn")),
)

FORMS = (*_US, *_EUROPE, *_WORLD, *_DOCUMENTS, *_NAMED)
