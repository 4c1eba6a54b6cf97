"""The privacy policy on the site's console: read, tried under an edited one, signed; and no text is kept."""

from __future__ import annotations

import html
import re

import pytest

from edge.site_setup import policy_pack
from edge.store.operators import Role
from tests.integration.site_console.rig import Rig, Staff
from tests.unit.edge.privacy.test_policy_files import NOW

TEXT = "I am Anna Miller, please ring me about my appointment on Saturday."
PACK = policy_pack("public-office", NOW).replace("2027-11-29", "2999-01-01").replace(
    '["mon-fri 07:00-19:00", "sat 09:00-13:00"]', '["daily 00:00-24:00"]'
)  # fmt: skip


async def try_out(staff: Staff, policy: str = PACK, text: str = TEXT) -> tuple[int, str]:
    return await staff.submit("/privacy", "/privacy/try", policy=policy, text=text)


async def sign(staff: Staff, policy: str = PACK, **fields: str) -> tuple[int, str]:
    return await staff.submit("/privacy", "/privacy/sign", policy=policy, text=TEXT, **fields)


async def test_a_text_is_tried_under_an_edited_policy_before_that_is_signed(rig: Rig, ada: Staff) -> None:
    status, page = await try_out(ada)
    assert status == 200
    assert "I am [PERSON], please ring me" in page
    assert "permits something that the one in force does not" in page
    assert "overflow.personal" in page
    assert "Nothing is handed on" in (await ada.get("/privacy"))[1]  # what is in force has not changed

    assert (await sign(ada, sure="yes"))[0] == 303
    assert "In force: <bdi>Public office</bdi>" in (await ada.get("/privacy"))[1]
    audited = await rig.audited(action="privacy.sign")
    assert [(actor, outcome) for actor, _, _, outcome in audited] == [("ada", "begun"), ("ada", "done")]
    assert rig.paths.policy.read_text().startswith(PACK)


async def test_lines_of_a_browser_end_as_ours(rig: Rig, ada: Staff) -> None:
    assert (await sign(ada, PACK.replace("\n", "\r\n"), sure="yes"))[0] == 303
    assert rig.paths.policy.read_bytes().startswith(PACK.encode())


async def test_nothing_is_signed_without_the_tick_or_when_it_is_no_policy(rig: Rig, ada: Staff) -> None:
    before = rig.paths.policy.read_bytes()
    assert "was not signed" in (await sign(ada))[1]
    status, page = await sign(ada, PACK + "more = 1", sure="yes")
    assert status == 400
    assert "more = 1" in page  # what was typed is not lost
    status, page = await try_out(ada, "nonsense")
    assert "is not valid TOML" in html.unescape(page)
    assert rig.paths.policy.read_bytes() == before


async def test_a_text_is_in_the_answer_and_nowhere_else(rig: Rig, ada: Staff) -> None:
    await try_out(ada)
    assert "Miller, please ring me about my appointment" not in (await ada.get("/privacy"))[1]
    tables = await rig.store.read(
        lambda db: [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    )
    kept = await rig.store.read(
        lambda db: "".join(str(row) for name in tables for row in db.execute(f"SELECT * FROM {name}"))
    )
    assert "Miller" not in kept


@pytest.mark.parametrize("pack", ["clinic", "bank", "public-office", "empty"])
async def test_the_form_begins_with_a_pack(ada: Staff, pack: str) -> None:
    _, page = await ada.get(f"/privacy?pack={pack}")
    found = re.search(r'name="policy".*?>\n(.*?)</textarea>', page, re.DOTALL)
    assert found
    assert html.unescape(found[1]).splitlines()[0] == policy_pack(pack, NOW).splitlines()[0]


async def test_an_unknown_pack_is_said(ada: Staff) -> None:
    status, page = await ada.get("/privacy?pack=castle")
    assert status == 400
    assert "no such pack" in html.unescape(page)


async def test_a_policy_that_is_not_in_force_is_said_loudly(rig: Rig, ada: Staff) -> None:
    rig.paths.policy.write_text(PACK)
    status, page = await ada.get("/privacy")
    assert status == 200
    assert "No policy is in force" in page
    assert "Public office" in page  # what stands in the file, to be read and signed


async def test_a_key_that_is_kept_elsewhere_has_no_button(rig: Rig, ada: Staff) -> None:
    rig.paths.policy_key.unlink()
    page = (await ada.get("/privacy"))[1]
    assert "is not on this machine" in page
    assert "/privacy/sign" not in page


async def test_a_technician_reads_and_a_desk_does_not(rig: Rig, ada: Staff) -> None:
    technician = await rig.operator("theo", Role.TECHNICIAN)
    status, page = await technician.get("/privacy")
    assert (status, "Try and change it" in page) == (200, False)
    csrf = {"csrf": await technician.csrf("/privacy")}
    assert (await technician.post("/privacy/sign", {**csrf, "policy": PACK, "sure": "yes"}))[0] == 403
    assert (await technician.post("/privacy/try", {**csrf, "policy": PACK, "text": TEXT}))[0] == 403
    desk = await rig.operator("dora", Role.DESK)
    assert (await desk.get("/privacy"))[0] == 403
    officer = await rig.operator("olga", Role.DATA_PROTECTION)
    assert (await try_out(officer))[0] == 200
