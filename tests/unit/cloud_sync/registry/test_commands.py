"""`postern-cloud registry` and `… publish`, from the organisation's sealed keys to the list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.cli import main
from cloud_sync.registry.signing_keys import (
    PASSPHRASE_CHARACTERS_MIN,
    KeyRing,
    RegistryKeyMissing,
    WrongPassphrase,
    seal,
    unseal,
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, Any]:
        """Exit code, the JSON document."""
        code = 0
        try:
            main([*arguments, "--json"])
        except SystemExit as ended:
            code = int(ended.code or 0)
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return call


def test_a_package_from_an_organisations_keys_to_the_list(tmp_path: Path, run: Any) -> None:
    folder, keys, package, secret = (tmp_path / name for name in ("cloud", "keys", "notes.txt", "secret"))
    package.write_text("The café opens at eight.", encoding="utf-8")
    secret.write_text("correct horse battery\n", encoding="utf-8")
    at, by = ("--dir", str(folder)), ("--vendor-keys", str(keys), "--passphrase-file", str(secret))
    publish = ("knowledge", "publish", str(package), *at, *by, "--name", "faq", "--version", "1.0")
    assert run("init", *at)[0] == 0
    assert run("registry", "list", *at) == (1, None)
    _, created = run("registry", "init", *at, *by)
    assert sorted(path.name for path in keys.iterdir()) == ["root.age", "targets.age"]
    assert run("registry", "init", *at, *by) == (1, None)
    assert run(*publish)[1]["target"] == "knowledge/faq/1.0"
    _, listed = run("registry", "list", *at)
    assert [row["target"] for row in listed["packages"]] == ["knowledge/faq/1.0"]
    assert listed["vendor_root_sha256"] == created["vendor_root_sha256"]
    assert run("registry", "verify", *at) == (0, {"ok": True, "packages": 1, "chunks": 1, "faults": []})
    run("registry", "root", *at, "--out", str(tmp_path / "root.json"))
    assert b'"_type":"root"' in (tmp_path / "root.json").read_bytes()
    next((folder / "blobs").glob("*/*")).unlink()
    assert run("registry", "verify", *at)[0] == 3
    secret.write_text("a wrong one, as long\n", encoding="utf-8")
    assert run(*publish) == (5, None)


@pytest.mark.long  # sealing takes a second of work each time, on purpose
def test_keys_are_sealed_with_a_passphrase_that_is_long_enough(tmp_path: Path) -> None:
    passphrase = "x" * PASSPHRASE_CHARACTERS_MIN
    with pytest.raises(WrongPassphrase, match="short"):
        seal(tmp_path, "root", KeyRing(), passphrase[1:])
    ring = KeyRing()
    key = ring.new()
    seal(tmp_path, "root", ring, passphrase)
    assert key.private_bytes not in (tmp_path / "root.age").read_bytes()
    found = unseal(tmp_path, "root", passphrase)
    assert found.signer([key.public_key.keyid]).public_key == key.public_key
    with pytest.raises(RegistryKeyMissing):
        found.signer(["another"])
    with pytest.raises(RegistryKeyMissing):
        unseal(tmp_path, "targets", passphrase)
