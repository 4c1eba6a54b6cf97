"""Keys of programs on the site's console: made and shown once, revoked for good, and written down."""

from __future__ import annotations

import re

import pytest

from edge.store import api_keys
from edge.store.operators import Role
from tests.integration.site_console.rig import Rig, Staff

LIMITS = {"requests_per_minute": "60", "tokens_per_minute": "5000", "concurrent_max": "2"}
SECRET = re.compile(r"pstn_[A-Za-z0-9_-]{43}")


async def make(staff: Staff, name: str = "search", *scopes: str, **limits: str) -> tuple[int, str]:
    fields = {"name": name, "scope": list(scopes or ("embeddings",)), **LIMITS, **limits}
    return await staff.submit("/api-keys", "/api-keys", **fields)


async def test_a_new_key_is_shown_once_with_its_limits_and_written_down(rig: Rig, ada: Staff) -> None:
    status, page = await make(ada, "search", "embeddings", "inference")
    assert status == 200
    assert len(SECRET.findall(page)) == 1
    _, again = await ada.get("/api-keys")
    assert not SECRET.search(again)
    (key,) = await rig.store.read(api_keys.listing)
    assert key.scopes == {"embeddings", "inference"}
    assert (key.allowance.requests_per_minute, key.allowance.tokens_per_minute) == (60, 5000)
    assert key.allowance.concurrent_max == 2
    assert ("ada", "api-keys.new", "search", "done") in await rig.audited()


async def test_a_key_that_asks_questions_brings_the_notice_that_its_program_must_show(ada: Staff) -> None:
    _, page = await make(ada, "app", "chat", "staff")
    assert "must see this" in page
    assert "must see this" not in (await make(ada, "other"))[1]


@pytest.mark.parametrize(
    ("name", "scopes", "limits"),
    [
        ("two words", ["embeddings"], {}),
        ("a" * 49, ["embeddings"], {}),
        ("a", ["nothing"], {}),
        ("a", ["staff"], {}),
        ("a", ["embeddings"], {"requests_per_minute": "0"}),
        ("a", ["embeddings"], {"tokens_per_minute": "many"}),
        ("a", ["embeddings"], {"concurrent_max": "1025"}),
    ],
)
async def test_what_no_key_may_be_is_refused_and_the_form_is_kept(
    rig: Rig, ada: Staff, name: str, scopes: list[str], limits: dict[str, str]
) -> None:
    status, page = await make(ada, name, *scopes, **limits)
    assert status == 400
    assert 'role="alert"' in page
    assert f'value="{name}"' in page
    assert await rig.store.read(api_keys.listing) == []


async def test_the_same_name_twice_is_refused_and_free_again_once_revoked(rig: Rig, ada: Staff) -> None:
    await make(ada)
    assert (await make(ada))[0] == 409
    assert (await ada.submit("/api-keys", "/api-keys/search/revoke"))[0] == 303  # without the tick
    assert await rig.store.read(api_keys.working)
    assert (await ada.submit("/api-keys", "/api-keys/search/revoke", sure="yes"))[0] == 303
    assert not await rig.store.read(api_keys.working)
    assert ("ada", "api-keys.revoke", "search", "done") in await rig.audited()
    assert (await ada.submit("/api-keys", "/api-keys/search/revoke", sure="yes"))[0] == 404
    assert "Revoked keys" in (await ada.get("/api-keys"))[1]
    assert (await make(ada))[0] == 200


async def test_data_protection_sees_keys_and_changes_none(rig: Rig, ada: Staff) -> None:
    await make(ada)
    officer = await rig.operator("bob", Role.DATA_PROTECTION)
    status, page = await officer.get("/api-keys")
    assert status == 200
    assert "search" in page
    assert "Make a key" not in page
    assert "/revoke" not in page
