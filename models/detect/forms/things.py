"""Forms of numbers of vehicles, devices, policies, claims and bookings. Pure: tables."""

from __future__ import annotations

from models.detect.forms.checks import stdnum, vin, vin_form
from models.detect.forms.form import Form, countries, loose, solid, words

_PLATE = words("plate")
_DEVICE = words("device")

FORMS = (
    Form("VEHICLE_ID", ("?" * 17,), 0.3, words("vehicle"), 0.03, vin),
    Form("VEHICLE_ID", ("?" * 17,), 0.02, words("vehicle"), 0.1, vin_form),
    Form(
        "DEVICE_ID",
        ("000000000000000", "00-000000-000000-0", "00 000000 000000 0"),
        0.1,
        _DEVICE,
        0.08,
        stdnum("imei"),
    ),
    Form("DEVICE_ID", solid("?", range(6, 21)), 0.0012, _DEVICE),
    Form("DEVICE_ID", loose("?", range(6, 21)), 0.0011, _DEVICE),
    Form("LICENSE_PLATE", ("AA00 AAA", "AA00AAA"), 0.3, _PLATE, home=countries("GB")),
    Form("LICENSE_PLATE", ("AA-000-AA", "AA 000 AA"), 0.4, _PLATE, home=countries("FR IT")),
    Form("LICENSE_PLATE", ("0000 AAA", "0000-AAA"), 0.1, _PLATE, home=countries("ES")),
    Form("LICENSE_PLATE", (*solid("?", range(5, 9)), *loose("?", range(5, 9))), 0.0012, _PLATE),
    Form("OTHER_ID", solid("?", range(5, 17)), 0.0013, words("other_id")),
    Form("OTHER_ID", ("AA~000000", "AAA~000000", "A~000000", "AA~00000000"), 0.002, words("other_id")),
    Form("OTHER_ID", loose("?", range(6, 17)), 0.0011, words("other_id")),
)
