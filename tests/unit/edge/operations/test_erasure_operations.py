"""`privacy.erase` and its companions: what they take, what they give, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import ExitCode
from edge.operations.arguments import BadArguments
from edge.operations.erasure import REFERENCE_CHARS_MAX, ErasureOperations
from edge.privacy import holds
from edge.privacy.holds import HeldAlready, Hold, LegalHold, NoSuchHold, TooManyHolds
from edge.privacy.receipts import ReceiptInvalid
from tests.unit.edge.privacy.erasure_rig import OFFICER, PATIENT, Site, open_site


async def call(site: Site, name: str, **arguments: object) -> Any:
    table = ErasureOperations(site.erasure, site.desk.store).table()
    return await table[f"privacy.{name}"](arguments, lambda _: None)


async def test_from_a_hold_to_a_receipt(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        _, number = await site.visit(PATIENT)
        assert await call(site, "holds") == []
        given = {"subject": f"ticket:{number.lower()}", "actor": OFFICER}
        held = await call(site, "hold", reference=" case 12 ", **given)
        assert (held["subject"], held["reference"], held["placed_by"]) == (PATIENT, "case 12", OFFICER)
        with pytest.raises(LegalHold) as refused:
            await call(site, "erase", **given)
        assert (refused.value.status, refused.value.exit_code) == (409, ExitCode.REFUSED)
        (listed,) = await call(site, "holds")
        assert listed == {**held, "erasure_asked_ms": listed["erasure_asked_ms"]}
        assert listed["erasure_asked_ms"]
        released = await call(site, "release", subject=PATIENT, actor=OFFICER)
        (erased,) = await call(site, "erasures")
        label = site.desk.store.digests.label(PATIENT)
        assert erased == {
            "label": label,
            "erased_ms": released["receipt"]["erased_ms"],
            "done": True,
            "receipt": released["receipt"],
        }
        for subject, theirs in ((PATIENT, True), ("other", False), (None, None)):
            found = await call(site, "verify-receipt", receipt=released["receipt"], subject=subject)
            assert (found["genuine"], found["theirs"]) == (True, theirs)
        with pytest.raises(ReceiptInvalid):
            await call(site, "verify-receipt", receipt={**released["receipt"], "found": False})


@pytest.mark.parametrize("bare", ["session", "ticket"])
async def test_an_identifier_does_as_a_customer_has_it(tmp_path: Path, bare: str) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit(PATIENT)
        name = new.session.id if bare == "session" else number
        await call(site, "erase", subject=name, actor=OFFICER)
        assert not any((await site.counts()).values())


@pytest.mark.parametrize("subject", ["", " ", "a b", "x" * 65, "person:7", "session:", "ticket:Ä", "a\nb"])
async def test_what_can_name_nobody_is_refused(tmp_path: Path, subject: str) -> None:
    async with open_site(tmp_path) as site:
        with pytest.raises(BadArguments):
            await call(site, "erase", subject=subject, actor=OFFICER)
        assert await site.erasure.erasures() == []


async def test_the_longest_names_are_taken(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for subject in ("x" * 64, f"session:{'y' * 64}", "a.b_c-9"):
            assert (await call(site, "erase", subject=subject, actor=OFFICER))["found"] is False
        reference = "r" * REFERENCE_CHARS_MAX
        held = await call(site, "hold", subject=PATIENT, reference=reference, actor=OFFICER)
        assert held["reference"] == reference
        with pytest.raises(BadArguments):
            await call(site, "hold", subject=PATIENT, reference=f"{reference}r", actor=OFFICER)


async def test_a_hold_is_placed_once_and_for_one_case(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        first = await call(site, "hold", subject=PATIENT, reference="case 12", actor=OFFICER)
        assert await call(site, "hold", subject=PATIENT, reference="case 12", actor="other") == first
        with pytest.raises(HeldAlready):
            await call(site, "hold", subject=PATIENT, reference="case 13", actor=OFFICER)
        with pytest.raises(NoSuchHold):
            await call(site, "release", subject="other", actor=OFFICER)


async def test_holds_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "HOLDS_MAX", 2)
    async with open_site(tmp_path) as site:

        def place(number: int) -> Any:
            hold = Hold(f"patient-{number}", "case", OFFICER, 1, None)
            return site.desk.store.write_keys(lambda keys: holds.place(keys, hold))

        for number in range(2):
            await place(number)
        with pytest.raises(TooManyHolds):
            await place(2)
        assert (await place(0)).subject == "patient-0"
        await site.erasure.release("patient-0", OFFICER)
        await place(2)
