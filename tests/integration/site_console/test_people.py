"""People on the site's console: found without their names in any address, given their data, held, erased."""

from __future__ import annotations

import html
import json
import re
import time
from base64 import b64decode
from functools import partial

import pytest
import pytest_asyncio

from edge.privacy.backup import rows
from edge.privacy.backup.rows import Made
from edge.store.operators import Role
from edge.store.store import StoreBusy
from edge.web.admin import Arguments, OnProgress
from edge.web.console.rules import PREFIX
from tests.integration.site_console.rig import Rig, Staff
from tests.unit.edge.privacy.people_rig import AT_MS, Seeded, seed

SUBJECT = "patient-0815"


@pytest_asyncio.fixture
async def seeded(rig: Rig) -> Seeded:
    return await seed(rig.store, SUBJECT, "conversation-1")


async def find(staff: Staff, text: str) -> str:
    """The path of the page of whoever is meant."""
    status, where = await staff.submit("/people", "/people", text=text)
    assert status == 303
    return where.removeprefix(PREFIX)


async def act(staff: Staff, path: str, what: str, **fields: str) -> tuple[int, str]:
    return await staff.submit(path, f"{path}/{what}", **fields)


def main(page: str) -> str:
    """The text of a page's main part."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))


async def test_whatever_a_person_can_name_leads_to_a_page_whose_address_names_nobody(
    rig: Rig, ada: Staff, seeded: Seeded
) -> None:
    for text in (SUBJECT, seeded.session, seeded.ticket.lower()):
        path = await find(ada, text)
        assert re.fullmatch(r"/people/[\w-]{16}", path)
        _, page = await ada.get(path)
        assert SUBJECT in main(page)
        assert SUBJECT not in page.partition("</title>")[0]
        assert "Questions and answers" in main(page)
    label = rig.store.digests.label(SUBJECT)
    looked = await rig.audited(action="privacy.subject")
    assert looked == [("ada", "privacy.subject", label, "done")] * 3  # once a page, not for the search too
    assert not [
        row for row in await rig.audited() if SUBJECT in "".join(row) or seeded.session in "".join(row)
    ]


async def test_a_page_is_its_operators_own(rig: Rig, ada: Staff, seeded: Seeded) -> None:
    path = await find(ada, SUBJECT)
    olga = await rig.operator("olga", Role.DATA_PROTECTION)
    status, page = await olga.get(path)
    assert (status, "Search for the person again" in page) == (410, True)
    assert SUBJECT not in page
    theo = await rig.operator("theo", Role.TECHNICIAN)
    assert (await theo.get(path))[0] == 403
    assert (await act(ada, path, "erase", sure="yes"))[0] == 303
    assert (await ada.get(path))[0] == 200


async def test_nobody_is_found(ada: Staff, seeded: Seeded) -> None:
    _, page = await ada.get(await find(ada, "nobody"))
    assert "Nothing is stored under this name" in main(page)
    assert "Give it to the person" not in main(page)
    assert "A backup may know them" in main(page)
    status, page = await ada.submit("/people", "/people", text="x" * 101)
    assert (status, "at most 100 characters" in main(page)) == (400, True)


async def test_the_export_is_a_file_whose_name_tells_nothing(rig: Rig, ada: Staff, seeded: Seeded) -> None:
    path = await find(ada, SUBJECT)
    csrf = await ada.csrf(path)
    for form, kind in (("page", "text/html"), ("json", "application/json")):
        fields = {"csrf": csrf, "form": form}
        async with ada.http.post(f"{ada.url}{path}/export", data=fields) as answer:
            assert answer.status == 200
            assert answer.content_type == kind
            assert answer.headers["Cache-Control"] == "no-store"
            assert re.fullmatch(
                r'attachment; filename="postern-export\.(html|json)"', answer.headers["Content-Disposition"]
            )
            text = await answer.text()
        assert "Where is my zebra?" in text
    assert json.loads(text)["request"]["subject"] == SUBJECT
    label = rig.store.digests.label(SUBJECT)
    assert await rig.audited(action="privacy.export") == [
        ("ada", "privacy.export", label, outcome) for outcome in ("begun", "done", "begun", "done")
    ]


async def test_nothing_is_erased_without_the_tick_and_then_there_is_a_receipt(
    ada: Staff, seeded: Seeded
) -> None:
    path = await find(ada, SUBJECT)
    assert "Nothing was changed" in (await act(ada, path, "erase"))[1]
    assert (await act(ada, path, "erase", sure="yes"))[1] == PREFIX + path
    _, page = await ada.get(path)
    assert "Nothing is stored any more" in main(page)
    assert "Questions and answers" not in main(page)
    erased_ms = re.search(r'name="erased_ms" value="(\d+)"', page)
    assert erased_ms
    status, receipt = await act(ada, path, "receipt", erased_ms=erased_ms[1])
    assert (status, len(b64decode(json.loads(receipt)["signature"]))) == (200, 64)
    assert (await act(ada, path, "receipt", erased_ms="7"))[0] == 410
    _, page = await ada.get("/people")
    assert "subject:" in main(page)
    assert SUBJECT not in page  # the list of erasures names nobody


async def test_a_hold_wins_and_says_so_until_it_is_released(rig: Rig, ada: Staff, seeded: Seeded) -> None:
    path = await find(ada, SUBJECT)
    assert (await act(ada, path, "hold", reference="case 7"))[0] == 303
    _, page = await ada.get("/people")
    assert SUBJECT in main(page)
    assert "case 7" in main(page)
    status, page = await act(ada, path, "erase", sure="yes")
    assert (status, "once whoever asked for the hold has it released" in main(page)) == (409, True)
    label = rig.store.digests.label(SUBJECT)
    erase = [("ada", "privacy.erase", label, outcome) for outcome in ("begun", "refused")]
    assert [row for row in await rig.audited() if "erase" in row[1]] == erase
    assert (await act(ada, path, "hold", reference="case 8"))[0] == 409
    assert not await rig.audited(action="people.", outcome="failed")
    assert await rig.audited(outcome="refused") == erase[1:]
    assert (await rig.audited(outcome="failed"))[-1] == ("ada", "privacy.hold", label, "failed")
    assert "an erasure waits for the release" in main(page)
    assert "Nothing was changed" in (await act(ada, path, "release"))[1]
    assert (await act(ada, path, "release", sure="yes"))[0] == 303
    assert "Nothing is stored any more" in main((await ada.get(path))[1])


async def test_what_fails_is_said_on_the_persons_page_and_written_down(
    rig: Rig, ada: Staff, seeded: Seeded
) -> None:
    path = await find(ada, SUBJECT)

    async def refuse(arguments: Arguments, on_progress: OnProgress) -> object:
        raise StoreBusy("There is too much to write.")

    rig.operations |= {"privacy.hold": refuse, "privacy.erase": refuse}
    for what, fields in (("hold", {"reference": "case 7"}), ("erase", {"sure": "yes"})):
        status, page = await act(ada, path, what, **fields)
        assert (status, "There is too much to write" in main(page)) == (503, True)
        assert SUBJECT in main(page)
    failed = await rig.audited(outcome="failed")
    assert [row[1] for row in failed] == ["people.hold", "people.erase"]
    assert not [row for row in failed if SUBJECT in "".join(row)]


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.DATA_PROTECTION])
async def test_retention_and_keys(rig: Rig, ada: Staff, seeded: Seeded, role: Role) -> None:
    staff = await rig.operator("bob", role)
    page = main((await staff.get("/retention"))[1])
    assert re.search(
        r"Overdue since 20\d\d-\d\d-\d\d .*: .*", page
    )  # the rig is of 2026, and nobody sweeps it
    assert re.search(r"Notices and consents\s+consents", page)
    page = main((await staff.get("/keys"))[1])
    assert re.search(r"If it is lost\s+\S", page)
    assert "recovery key" in page


async def test_backups_and_whether_an_erasure_reaches_their_keys(rig: Rig, ada: Staff) -> None:
    assert "No backup is known" in main((await ada.get("/backups"))[1])
    there, gone = rig.paths.root / "there.keys", rig.paths.root / "gone.keys"
    there.touch()
    today_ms = time.time_ns() // 1_000_000
    for name, keys, made_ms in (("old", there, AT_MS), ("new", gone, today_ms)):
        made = Made(name, made_ms, rig.paths.root / name, keys, 1_234_567)
        await rig.store.write_keys(partial(rows.add, made=made))
        page = main((await ada.get("/backups"))[1])
        assert ("make one" in page) is (name == "old")
    assert re.search(r"/old\s+there\s+1.2 MB", page)
    assert re.search(r"/new\s+not there: an erasure does not reach them", page)
