"""The form for what is wanted: saved by its tag, refused by the field, never over what somebody else has set."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.console.desired_pages import DesiredPages
from cloud_sync.fleet.desired_fields import NOTES_CHARACTERS_MAX, fields_of, read_fields
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.steering import DesiredChanged
from cloud_sync.store.audit import audit_of
from edge.sync.desired import DesiredRefused, parse
from tests.rollout_fleet import Fleet, fleet, node_row
from tests.unit.cloud_sync.console.rig import NAME, Console, console

NODE, GROUP = "/desired?node=n000", "/desired?group=wards"
POLICY = '[redact]\nnames = "always"'


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, "", [node_row(n, group="wards") for n in range(3)]) as found:
        yield found


@pytest.fixture
async def pages(three: Fleet) -> AsyncIterator[Console]:
    overview = Overview(three.database, Presence(three.database), three.clock)
    async with console(three, lambda shell: DesiredPages(overview, three.steering, shell).routes()) as found:
        yield found


def typed(page: str) -> dict[str, str]:
    """What a browser would send of the form."""
    tag = re.search(r'name="etag" value="([^"]*)"', page)
    heartbeat = re.search(r'<input[^>]* id="heartbeat_s"[^>]* value="([^"]*)"', page)
    mode = re.search(r"<option selected>([^<]*)<", page)
    areas = dict(re.findall(r'<textarea[^>]* id="(\w+)"[^>]*>\n([^<]*)<', page))
    assert tag
    assert heartbeat
    fields = {"etag": tag[1], "heartbeat_s": heartbeat[1], "answer_mode": mode[1] if mode else "", **areas}
    return {name: html.unescape(text) for name, text in fields.items()}


async def wanted(three: Fleet, node_id: str = "n000") -> dict[str, Any]:
    found = (await three.steering.look([node_id])).nodes[node_id].desired
    assert found is not None
    return dict(json.loads(found.document))


async def test_a_groups_settings_are_saved_with_the_name_of_who_did_it(three: Fleet, pages: Console) -> None:
    page = await pages.get(GROUP)
    assert "3 nodes are in the group" in page
    fields = typed(page) | {
        "heartbeat_s": "30",
        "answer_mode": "generative",
        "policy": POLICY,
        "notes": "a\r\nb",
    }
    assert await pages.post(GROUP, 303, **fields) == "/?group=wards"
    document = {
        "heartbeat_s": 30,
        "answer_mode": "generative",
        "policy": {"redact": {"names": "always"}},
        "notes": "a\nb",
    }
    assert await wanted(three) == document
    (row,) = await three.database.run(lambda c: audit_of(c, "group:wards", 9))
    assert (row.actor, row.action) == (NAME, "desired.set")
    again = typed(await pages.get(GROUP))
    assert await pages.post(GROUP, 303, **again)
    assert await wanted(three) == document  # what is read is what was written


async def test_a_nodes_own_begin_with_its_groups_and_go_back_to_them(three: Fleet, pages: Console) -> None:
    await three.steering.set_for_group("wards", b'{"heartbeat_s":20,"newer":[1]}', "bob")
    page = await pages.get(NODE)
    assert "the fields begin with its group’s" in page
    assert "<code>newer</code>" in page
    assert await pages.post(NODE, 303, **(typed(page) | {"heartbeat_s": "9"})) == "/nodes/n000"
    assert await wanted(three) == {"heartbeat_s": 9, "newer": [1]}
    assert await wanted(three, "n001") == {"heartbeat_s": 20, "newer": [1]}
    page = await pages.get(NODE)
    await pages.post(NODE, 303, **typed(page), take_back="yes")
    assert await wanted(three) == {"heartbeat_s": 20, "newer": [1]}
    rows = await three.database.run(lambda c: audit_of(c, "node:n000", 9))
    assert [(row.actor, row.action) for row in rows] == [(NAME, "desired.unset"), (NAME, "desired.set")]


@pytest.mark.parametrize("more", [{}, {"take_back": "yes"}])
async def test_what_somebody_else_set_meanwhile_is_shown_and_not_replaced(
    three: Fleet, pages: Console, more: dict[str, str]
) -> None:
    await three.steering.set_for_group("wards", b'{"heartbeat_s":20}', NAME)
    mine = typed(await pages.get(GROUP)) | {"heartbeat_s": "30", "notes": "<mine>"}
    await three.steering.set_for_group("wards", b'{"heartbeat_s":40}', "bob")
    page = await pages.post(GROUP, 412, **mine, **more)
    assert "Somebody else changed these settings" in page
    assert await wanted(three) == {"heartbeat_s": 40}
    there = page.split('id="there-title"')[1].split("</table>")[0]
    assert re.search(r">40<.*>30<", there)
    assert "&lt;mine&gt;" in there
    assert ">bob<" in page  # who it was
    kept = typed(page)
    assert (kept["heartbeat_s"], kept["notes"]) == ("30", "<mine>")
    assert kept["etag"] != mine["etag"]
    await pages.post(GROUP, 303, **kept)  # whoever has read that may replace it
    assert await wanted(three) == {"heartbeat_s": 30, "notes": "<mine>"}


async def test_a_node_does_not_keep_what_its_group_wanted_before(three: Fleet, pages: Console) -> None:
    await three.steering.set_for_group("wards", b'{"heartbeat_s":20}', NAME)
    mine = typed(await pages.get(NODE)) | {"heartbeat_s": "30"}
    tighter = b'{"heartbeat_s":20,"policy":{"redact":{"names":"always"}}}'
    await three.steering.set_for_group("wards", tighter, "bob")
    page = await pages.post(NODE, 412, **mine)
    assert await wanted(three) == json.loads(tighter)
    assert "these are its group’s" in page
    assert "always" in page.split('id="there-title"')[1].split("</table>")[0]
    of_node, of_group = mine["etag"].split()
    with pytest.raises(DesiredChanged):  # nor when the group's come between the page's look and its write
        await three.steering.set_for_node("n000", b'{"heartbeat_s":30}', NAME, of_node, of_group)
    assert await wanted(three) == json.loads(tighter)
    await pages.post(NODE, 303, **typed(page))
    assert await wanted(three) == {"heartbeat_s": 30}  # whoever has read that may replace it


async def test_a_privacy_policy_is_not_taken_off_by_one_click(three: Fleet, pages: Console) -> None:
    await three.steering.set_for_group("wards", b'{"policy":{"redact":{"names":"always"}}}', "bob")
    mine = typed(await pages.get(GROUP)) | {"take_back": "yes"}
    page = await pages.post(GROUP, 400, **mine)
    assert "A privacy policy is among the settings." in page
    assert 'type="checkbox" name="confirm"' in page
    assert "policy" in await wanted(three)
    await pages.post(GROUP, 303, **mine, confirm="yes")
    assert (await three.steering.setting_of_group("wards")).document is None
    assert 'name="confirm"' not in await pages.get(GROUP)


async def test_revoked_nodes_are_not_counted(three: Fleet, pages: Console) -> None:
    await three.steering.revoke("n002", "bob")
    assert "2 nodes are in the group" in await pages.get(GROUP)


async def test_a_wrong_field_keeps_the_tag_that_the_page_was_read_with(three: Fleet, pages: Console) -> None:
    mine = typed(await pages.get(GROUP)) | {"heartbeat_s": "4"}
    corrected = typed(await pages.post(GROUP, 400, **mine)) | {"heartbeat_s": "5"}
    await three.steering.set_for_group("wards", b'{"heartbeat_s":40}', "bob")
    await pages.post(GROUP, 412, **corrected)
    assert await wanted(three) == {"heartbeat_s": 40}


WRONG = [
    ("answer_mode", "poetic"),
    ("heartbeat_s", "4"),
    ("heartbeat_s", "301"),
    ("heartbeat_s", "5.5"),
    ("heartbeat_s", "²"),
    ("notes", "x" * (NOTES_CHARACTERS_MAX + 1)),
    ("policy", "[redact"),
    ("policy", "{,}"),
    ("policy", "day = 2026-03-01"),
]


async def test_a_wrong_field_is_named_and_kept(three: Fleet, pages: Console) -> None:
    empty = typed(await pages.get(GROUP))
    for name, text in WRONG:
        page = await pages.post(GROUP, 400, **(empty | {name: text}))
        assert f'<a href="#{name}">' in page
        assert f'aria-describedby="{name}-hint {name}-fault" aria-invalid="true"' in page
        assert page.count("aria-invalid") == 1
        assert typed(page)[name] == text
    assert (await three.steering.setting_of_group("wards")).document is None


async def test_nothing_typed_is_not_saved(pages: Console) -> None:
    assert "No field is filled in" in await pages.post(GROUP, 400, **typed(await pages.get(GROUP)))


async def test_a_form_without_a_tag_changes_nothing(pages: Console) -> None:
    await pages.post(GROUP, 412, heartbeat_s="30")


async def test_who_is_not_there_has_no_page(pages: Console) -> None:
    await pages.get("/desired?node=nobody", 404)
    await pages.get("/desired", 400)


RIGHT = [
    ("heartbeat_s", "5"),
    ("heartbeat_s", "300"),
    ("answer_mode", "extractive"),
    ("notes", "x" * NOTES_CHARACTERS_MAX),
]


# The last three are no documents at all.
@pytest.mark.parametrize(("name", "text"), [*WRONG[:-3], *RIGHT])
def test_the_form_and_a_node_agree(name: str, text: str) -> None:
    values, faults = read_fields({name: text})
    value: object = values.get(name, int(text) if text.isascii() and text.isdecimal() else text)
    try:
        parse(json.dumps({name: value}).encode())
        refused = ""
    except DesiredRefused as error:
        refused = error.field
    assert refused == (name if faults else "")


def test_what_the_form_cannot_show_is_kept_or_shown_as_it_is() -> None:
    found = fields_of(b'{"answer_mode":5,"heartbeat_s":true,"other":{"deep":[1]}}')
    assert found.given == {"answer_mode": "5", "heartbeat_s": "true", "notes": "", "policy": ""}
    assert found.others == {"other": {"deep": [1]}}
    assert set(read_fields(found.given)[1]) == {"answer_mode", "heartbeat_s"}
