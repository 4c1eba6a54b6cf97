"""Arguments that do not fit are said as a form's fields, without a command's words."""

from __future__ import annotations

import pytest

from edge.operations.arguments import BadArguments, read_arguments
from edge.operations.audit import ListArguments
from edge.operations.erasure import REFERENCE_CHARS_MAX, HoldArguments
from edge.privacy.holds import LegalHold
from edge.web.admin import Arguments, OnProgress
from edge.web.console.calls import Calls

HELD = {"subject": "patient-7", "actor": "ada", "reference": "case 7"}


async def hold(arguments: Arguments, _: OnProgress) -> object:
    return read_arguments(HoldArguments, arguments).reference


async def rows(arguments: Arguments, _: OnProgress) -> object:
    return read_arguments(ListArguments, arguments).filter()


async def held(arguments: Arguments, _: OnProgress) -> object:
    raise LegalHold


CALLS = Calls({"hold": hold, "rows": rows, "held": held})


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("hold", {**HELD, "reference": ""}, "Case: needs 1 or more characters"),
        (
            "hold",
            {**HELD, "reference": "c" * (REFERENCE_CHARS_MAX + 1)},
            f"Case: may have at most {REFERENCE_CHARS_MAX} characters",
        ),
        ("hold", {"subject": "patient-7", "actor": "ada"}, "Case: is missing"),
        ("hold", {**HELD, "subject": "Maria Schmidt"}, "Who is meant: nobody is stored under such a name"),
        ("rows", {"since": "yesterday"}, "From: write a day"),
    ],
)
async def test_what_does_not_fit_is_said_of_the_forms_field(
    name: str, given: dict[str, object], said: str
) -> None:
    with pytest.raises(BadArguments) as raised:
        await CALLS(name, **given)  # type: ignore[arg-type]
    assert raised.value.detail.startswith(said)
    assert raised.value.remedy == ""


async def test_other_errors_keep_what_to_do() -> None:
    assert await CALLS("hold", **HELD) == "case 7"  # type: ignore[arg-type]
    with pytest.raises(LegalHold) as raised:
        await CALLS("held")
    assert raised.value.remedy == LegalHold.remedy
