"""`keys.*`: every key in words, changes with their rows of audit, and a stopped site brought back."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.identity.certificates import create_ca
from core.local_user import this_user
from edge.commands import keys as cli_keys
from edge.config import SitePaths, load_config, site_paths
from edge.keys import KeysUnusable, RecoveryKeyWrong, TpmUnusable
from edge.operations.arguments import BadArguments
from edge.operations.keys import KeysOperations, recover
from edge.privacy import policy_files
from edge.privacy.policy_files import PolicyUnsigned
from edge.site_setup import create_site
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.connection import StoreInUse
from edge.store.store import Store

WORDS = ("key", "purpose", "holder", "where", "ends", "lost", "stolen")


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    paths.config.write_text(paths.config.read_text() + '\n[keys]\ntpm_tcti = "none"\n')
    return paths


async def call(paths: SitePaths, store: Store, name: str, **arguments: object) -> Any:
    return await KeysOperations(load_config(paths), paths, store).table()[name](arguments, lambda _: None)


@pytest.mark.proves("keys")
async def test_every_key_is_told_in_full(paths: SitePaths, store: Store) -> None:
    await store.write_keys(lambda db: db.execute("INSERT INTO subject_keys VALUES ('session:1', x'00', 9)"))
    found = await call(paths, store, "keys.list")
    assert all(row[word].strip() for row in found for word in WORDS)
    assert len({row["key"] for row in found}) == len(found)
    assert {
        "root",
        "recovery",
        "site",
        "store",
        "subjects",
        "subject",
        "receipts",
        "policy",
        "envelope",
        "node",
    } <= {row["key"] for row in found}
    (subject,) = [row for row in found if row["key"] == "subject"]
    assert "1 now" in subject["purpose"]
    with pytest.raises(BadArguments):
        await call(paths, store, "keys.list", more=1)


@pytest.mark.proves("keys")
async def test_no_file_of_keys_is_left_out_and_no_secret_is_told(paths: SitePaths, store: Store) -> None:
    for name in ("mqtt-node.password", "mqtt-kiosk.password"):
        (paths.keys / name).write_text("swordfish")
    told = json.dumps(await call(paths, store, "keys.list"))
    for path in paths.keys.iterdir():
        assert f"keys/{path.name}" in told
        assert path.read_bytes().hex() not in told
    assert paths.recovery_key.name in told
    assert "AGE-SECRET" not in told
    assert "swordfish" not in told


async def test_envelopes_are_told_of_only_while_somebody_has_them(paths: SitePaths, store: Store) -> None:
    async def told() -> str:
        (row,) = [row for row in await call(paths, store, "keys.list") if row["key"] == "break-glass"]
        return f"{row['holder']}; {row['where']}"

    assert await told() == "nobody: it was not sealed yet; nowhere"
    await store.write(lambda db: operators.seal_break_glass(db, "terminal", ("one", "other")))
    assert "half each, in sealed envelopes; store/site.db" in await told()
    await store.write(
        lambda db: audit.append(db, operators.BREAK_GLASS, operators.OPENED, operators.BREAK_GLASS)
    )
    assert "have opened their envelopes" in await told()
    await store.write(lambda db: operators.seal_break_glass(db, "terminal", ("one", "")))
    assert "by an earlier release: it opens nothing" in await told()


async def test_who_holds_a_key_is_what_is_so(paths: SitePaths, store: Store) -> None:
    async def holders() -> dict[str, str]:
        return {row["key"]: row["holder"] for row in await call(paths, store, "keys.list")}

    before = await holders()
    assert "file" in before["root"]
    assert "until somebody takes it away" in before["recovery"]
    paths.recovery_key.unlink()
    paths.policy_key.unlink()
    after = await holders()
    assert "people" in after["recovery"]
    assert "people" in after["policy"]


async def test_a_certificate_says_when_the_sites_identity_ends(paths: SitePaths, store: Store) -> None:
    async def node() -> dict[str, Any]:
        rows = await call(paths, store, "keys.list")
        return next(row for row in rows if row["key"] == "node")

    assert (await node())["ends"] == "not enrolled"
    paths.courier.mkdir()
    certificate = paths.courier / "cert.pem"
    certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert "damaged" in (await node())["ends"]
    authority = create_ca("Test", now=datetime.now(UTC), validity=timedelta(days=30))
    certificate.write_bytes(authority.certificate_pem)
    found = await node()
    ends = datetime.fromisoformat(found["ends_at"])
    assert ends > datetime.now(UTC) + timedelta(days=1)
    assert f"{ends:%Y-%m-%d}" in found["ends"]


async def test_what_the_settings_name_is_listed(paths: SitePaths, store: Store) -> None:
    paths.config.write_text(
        paths.config.read_text()
        + '\n[handoff.webhook]\nurl = "http://127.0.0.1:9/"\nsecret_file = "/etc/hook.secret"\n'
        + '\n[mqtt]\nbroker = "external"\nusername = "node"\npassword_file = "/etc/mqtt.secret"\n'
    )
    found = {row["key"]: row["where"] for row in await call(paths, store, "keys.list")}
    assert (found["webhook"], found["broker"]) == ("/etc/hook.secret", "/etc/mqtt.secret")
    assert "kiosks" not in found


async def test_keys_are_replaced(paths: SitePaths, store: Store) -> None:
    with pytest.raises(KeysUnusable, match="backups"):
        await call(paths, store, "keys.rotate")
    paths.recovery_key.unlink()
    found = await call(paths, store, "keys.rotate")
    assert found == {"root_in": "file", "recovery_key": str(paths.recovery_key)}
    assert paths.recovery_key.read_text().startswith("AGE-SECRET-KEY-1")


async def test_a_new_pair_for_the_policy_wants_a_new_signature(paths: SitePaths, store: Store) -> None:
    before = content_of(paths)
    policy_files.load(paths, datetime.now(UTC))
    assert await call(paths, store, "keys.rotate", which="policy") == {"policy_key": str(paths.policy_key)}
    with pytest.raises(PolicyUnsigned):
        policy_files.load(paths, datetime.now(UTC))
    text = policy_files.without_signature(paths.policy.read_text())
    policy_files.save(paths, text, datetime.now(UTC))
    assert policy_files.load(paths, datetime.now(UTC)).text == text
    changed = {name for name, content in content_of(paths).items() if content != before[name]}
    assert changed == {"policy.key", "policy.pub"}


def content_of(paths: SitePaths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.keys.iterdir()}


async def test_a_machine_without_a_tpm_says_so(paths: SitePaths, store: Store) -> None:
    with pytest.raises(TpmUnusable):
        await call(paths, store, "keys.seal")
    assert (await call(paths, store, "keys.seal", to="file")) == {"root_in": "file"}
    with pytest.raises(BadArguments):
        await call(paths, store, "keys.seal", to="paper")


async def test_a_stopped_site_is_brought_back(paths: SitePaths) -> None:
    identity = paths.recovery_key.read_text()
    store = Store.open(paths)
    with pytest.raises(StoreInUse):
        await recover(paths, identity)
    await store.close()
    (paths.keys / "root.key").unlink()
    with pytest.raises(RecoveryKeyWrong):
        await recover(paths, "AGE-SECRET-KEY-1")
    assert await recover(paths, identity) == {"root_in": "file"}
    store = Store.open(paths)
    (row,) = await store.read(lambda db: audit.search(db, AuditFilter(action="keys."), 100))
    assert (row.actor, row.action, row.outcome) == (this_user(), "keys.recover", "done")
    await store.close()


@pytest.mark.parametrize("by", ["file", "input"])
def test_the_recovery_key_comes_from_a_file_or_from_input_and_never_from_the_command_line(
    paths: SitePaths, by: str
) -> None:
    identity = paths.recovery_key.read_text()
    (paths.keys / "root.key").unlink()
    more = ["--recovery-key", str(paths.recovery_key)] if by == "file" else []
    done = CliRunner().invoke(
        cli_keys.keys,
        ["recover", "--site", str(paths.root), *more, "--json"],
        input=identity if by == "input" else "",
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"root_in": "file"}
    assert "AGE-SECRET" not in done.output


def test_the_commands_say_what_there_is_and_what_to_do(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def operate(_: Path, name: str, arguments: dict[str, Any]) -> Any:
        async def run() -> Any:
            store = Store.open(paths)
            try:
                return await call(paths, store, name, **arguments)
            finally:
                await store.close()

        return asyncio.run(run())

    monkeypatch.setattr(cli_keys, "operate_on", operate)

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(cli_keys.keys, [*arguments, "--site", str(paths.root)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "root: opens the site key" in (text := said("list"))
    assert text.count("  stolen ") == text.count("  held by ") == len(json.loads(said("list", "--json")))
    paths.recovery_key.unlink()
    assert str(paths.recovery_key) in said("rotate")
    assert "in a file" in said("seal", "--out")
    assert "policy sign" in said("rotate", "--policy")
