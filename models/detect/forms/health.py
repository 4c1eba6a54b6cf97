"""Forms of numbers in health care: of patients, of insured people, of those who treat them. Pure: tables."""

from __future__ import annotations

from models.detect.forms.checks import dea, kvnr, mbi, npi, stdnum
from models.detect.forms.form import Form, countries, loose, solid, words

_RECORD = words("record")
_NHS = words("nhs record")

FORMS = (
    # One in eleven random numbers of ten digits passes: it says little, its groups a bit more, "NHS" beside it all.
    Form(
        "HEALTH_PLAN", ("000 000 0000", "000-000-0000"), 0.01, _NHS, 0.09, stdnum("gb.nhs"), countries("GB")
    ),
    Form(
        "HEALTH_PLAN",
        ("0000000000", *loose("0", (10,))),
        0.005,
        _NHS,
        0.09,
        stdnum("gb.nhs"),
        countries("GB"),
    ),
    Form("HEALTH_PLAN", (*loose("0", (10,)),), 0.002, words("nhs")),
    Form(
        "HEALTH_PLAN",
        ("?????AA?????", "????~???~????", "???????????"),
        0.4,
        words("plan"),
        0.001,
        mbi,
        countries("US"),
    ),
    Form("HEALTH_PLAN", ("A000000000", "A000~000~000"), 0.1, words("plan"), 0.1, kvnr, countries("DE")),
    Form("OTHER_ID", ("0000000000",), 0.003, words("npi"), 0.02, npi, countries("US")),
    Form("OTHER_ID", ("AA0000000", "A00000000"), 0.1, words("dea"), 0.07, dea, countries("US")),
    Form("OTHER_ID", ("AA0000000", "0000000000"), 0.002, words("npi dea")),
    # "4603669/29": a number and its year.
    Form("MEDICAL_RECORD", tuple("=".join("?" * length) + "/00" for length in range(4, 9)), 0.002, _RECORD),
    Form("MEDICAL_RECORD", solid("0", range(5, 13)), 0.0012, _RECORD),
    Form("MEDICAL_RECORD", solid("?", range(5, 13)), 0.0012, _RECORD),
    Form("MEDICAL_RECORD", loose("?", range(6, 13)), 0.0011, _RECORD),
    Form("HEALTH_PLAN", solid("?", range(7, 16)), 0.0013, words("plan")),
    Form("HEALTH_PLAN", loose("?", range(7, 16)), 0.0011, words("plan")),
)
