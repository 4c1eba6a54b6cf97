"""Forms of files: how many, how large, who may, and what is kept of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from core.webshell.shell import FORM_BYTES_MAX
from edge.store.operators import Role
from edge.web.admin import Arguments, OnProgress
from edge.web.console.documents_pages import FILES_MAX
from tests.integration.site_console.rig import Rig, Staff, console_rig

seen: list[tuple[str, bytes]] = []


async def take_in(arguments: Arguments, _: OnProgress) -> object:
    """What the knowledge base does with a file, without a model."""
    path, name = Path(str(arguments["file"])), str(arguments["name"])
    seen.append((name, path.read_bytes()))
    report = {"added": 1, "unchanged": 0, "updated": 0, "removed": 0, "failed": []}
    return {"doc": name, "version": 1, **report}


async def nothing(_: Arguments, __: OnProgress) -> object:
    return []


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    seen.clear()
    async with console_rig(tmp_path, more={"kb.list": nothing, "kb.upload": take_in}) as served:
        served.paths.run.mkdir(parents=True, exist_ok=True)
        yield served


async def send(staff: Staff, *files: tuple[str, bytes]) -> tuple[int, str]:
    data = aiohttp.FormData({"csrf": await staff.csrf("/")})
    for name, content in files:
        data.add_field("file", content, filename=name)
    url = f"{staff.url}/documents"
    async with staff.http.post(url, data=data, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def finished(staff: Staff, address: str) -> str:
    """The work's page once it is done."""
    path = address.removeprefix("/console")
    async with asyncio.timeout(20):
        while "At work" in (page := (await staff.get(path))[1]):
            await asyncio.sleep(0.02)
    return page


async def test_files_larger_than_other_forms_go_in_and_leave_nothing_behind(rig: Rig) -> None:
    desk = await rig.operator("mira", Role.DESK)
    large = b"x" * (2 * FORM_BYTES_MAX)
    status, address = await send(desk, ("large.txt", large), ("small.txt", b"y"))
    assert status == 303
    page = await finished(desk, address)
    assert page.count("Added") == 2
    assert seen == [("large.txt", large), ("small.txt", b"y")]
    assert not list(rig.paths.run.glob(".upload-*"))
    taken = [row[2] for row in await rig.audited(action="documents.take-in")]
    assert taken == ["large.txt", "small.txt"]


async def test_one_file_too_many_and_none_are_refused(rig: Rig) -> None:
    desk = await rig.operator("mira", Role.DESK)
    at_the_limit = [(f"{number}.txt", b"y") for number in range(FILES_MAX)]
    assert (await send(desk, *at_the_limit, ("more.txt", b"y")))[0] == 400
    assert (await send(desk))[0] == 400
    assert seen == []
    status, address = await send(desk, *at_the_limit)
    assert status == 303
    await finished(desk, address)
    assert len(seen) == FILES_MAX


async def test_who_may_not_is_refused_before_anything_is_taken(rig: Rig) -> None:
    technician = await rig.operator("tom", Role.TECHNICIAN)
    assert (await send(technician, ("a.txt", b"y")))[0] == 403
    assert seen == []
    assert ("tom", "documents.upload", "", "refused") in await rig.audited()


async def test_an_old_version_of_a_removed_document_can_be_looked_at(tmp_path: Path) -> None:
    async def show(_: Arguments, __: OnProgress) -> object:
        old = {"version": 1, "title": "Parrots", "audience": "public", "replaced_ms": 0, "citations": 2}
        passages = [{"section": "", "text": "Parrots stay at home."}]
        shown = {"removed": True, "shown_version": 1, "first": 0, "of": 1, "old_versions": [old]}
        return {"doc": "parrots.md", "passages": passages, **shown}

    async with console_rig(tmp_path, more={"kb.show": show}) as rig:
        desk = await rig.operator("mira", Role.DESK)
        status, page = await desk.get("/documents/one?doc=parrots.md&version=1")
        assert (status, "Parrots stay at home." in page, "Save" in page) == (200, True, False)
        assert ("mira", "documents.show", "parrots.md", "done") in await rig.audited()


async def test_other_forms_keep_their_small_limit(rig: Rig) -> None:
    desk = await rig.operator("mira", Role.DESK)
    fields = {"csrf": await desk.csrf("/"), "doc": "x" * (FORM_BYTES_MAX + 1)}
    assert (await desk.post("/documents/set", fields))[0] == 413
