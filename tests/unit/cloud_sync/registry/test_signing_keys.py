"""The sealed keys of the organisation, on a machine that is busy while they are opened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrage
import pytest

from cloud_sync.registry import signing_keys
from cloud_sync.registry.signing_keys import KeyRing, KeysNotOpened, WrongPassphrase, seal, unseal

PASSPHRASE = "correct horse battery staple"
BUSY = "Excessive work parameter for passphrase.\nDecryption would take around 33 seconds."


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What opening them fails with, in order; after that it works."""
    failures: list[str] = []
    real = pyrage.passphrase

    def decrypt(content: bytes, passphrase: str) -> Any:
        if failures:
            raise pyrage.DecryptError(failures.pop(0))
        return real.decrypt(content, passphrase)

    monkeypatch.setattr(pyrage, "passphrase", SimpleNamespace(encrypt=real.encrypt, decrypt=decrypt))
    monkeypatch.setattr(signing_keys, "TRY_EVERY_S", 0.0)
    return failures


def test_a_machine_that_looks_slow_is_asked_again(tmp_path: Path, busy: list[str]) -> None:
    ring = KeyRing()
    key_id = ring.new().public_key.keyid
    seal(tmp_path, "targets", ring, PASSPHRASE)
    busy += [BUSY] * (signing_keys.TRIES - 1)
    assert unseal(tmp_path, "targets", PASSPHRASE).key_ids == (key_id,)
    busy += [BUSY] * signing_keys.TRIES
    with pytest.raises(KeysNotOpened):
        unseal(tmp_path, "targets", PASSPHRASE)
    assert busy == []
    with pytest.raises(WrongPassphrase):
        unseal(tmp_path, "targets", "another horse")


def test_age_says_so_in_these_words(tmp_path: Path) -> None:
    """The library has one kind of error for both."""
    seal(tmp_path, "targets", KeyRing(), PASSPHRASE)
    file = tmp_path / "targets.age"
    head, scrypt, rest = file.read_bytes().split(b"\n", 2)
    file.write_bytes(b"\n".join((head, scrypt.rpartition(b" ")[0] + b" 40", rest)))
    with pytest.raises(pyrage.DecryptError, match=f"^{signing_keys._TOO_SLOW}"):
        pyrage.passphrase.decrypt(file.read_bytes(), PASSPHRASE)
