"""Signatures, thresholds, rotations and rollbacks, as `test_tuf_conformance` lists them."""

from __future__ import annotations

import json

import pytest
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner

from tests.tuf_repository import EVERYTHING, TufRepository
from tests.unit.edge.updates.conftest import Client


@pytest.mark.parametrize(("keys", "threshold", "left_out"), [(3, 3, 1), (5, 6, 0), (2, 2, 1)])
async def test_fewer_signatures_than_the_threshold_are_refused(
    client: Client, repository: TufRepository, keys: int, threshold: int, left_out: int
) -> None:
    await client.look()
    for _ in range(keys - 1):
        repository.add_key("snapshot")
    for _ in range(left_out):
        repository.signers["snapshot"].popitem()
    repository.root.roles["snapshot"].threshold = threshold
    repository.publish("root", "snapshot", "timestamp")
    assert await client.refused()
    assert (client.version("root"), client.version("snapshot")) == (2, 1)
    repository.root.roles["snapshot"].threshold = keys - left_out
    repository.publish("root", "snapshot", "timestamp")
    assert not await client.refused()


async def test_one_key_that_is_named_often_signs_once(client: Client, repository: TufRepository) -> None:
    (key_id,) = repository.root.roles["snapshot"].keyids
    document = json.loads(repository.signed("root"))["signed"]
    document["version"] = 2
    document["roles"]["snapshot"] = {"keyids": [key_id] * 6, "threshold": 6}
    (signer,) = repository.signers["root"].values()
    signature = signer.sign(encode_canonical(document).encode())
    content = json.dumps({"signed": document, "signatures": [signature.to_dict()]}).encode()
    repository.put("root", 2, content)
    repository.publish("snapshot", "timestamp")
    assert await client.refused()
    assert client.version("snapshot") is None


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
async def test_kinds_of_keys(client: Client, repository: TufRepository, kind: str) -> None:
    signer = getattr(CryptoSigner, f"generate_{kind}")()
    repository.add_key("root", signer)
    repository.root.roles["root"].threshold = 2
    repository.publish("root")
    assert not await client.refused()
    assert client.version("root") == 2
    repository.publish("root")
    document = json.loads(repository.newest["root"])
    for signature in document["signatures"]:
        if signature["keyid"] == signer.public_key.keyid:
            signature["sig"] = "00" + signature["sig"][2:]
    repository.put("root", 3, json.dumps(document).encode())
    assert await client.refused()
    assert client.version("root") == 2


async def test_a_snapshot_that_no_timestamp_names_is_not_asked_for(
    client: Client, repository: TufRepository
) -> None:
    repository.publish("snapshot", "timestamp")
    await client.look()
    repository.snapshot.version = 1
    repository.put("snapshot", 1, repository.signed("snapshot"))
    assert not await client.refused()
    assert client.version("snapshot") == 2
    assert repository.asked[-1] == ("timestamp", None)


@pytest.mark.parametrize("with_hashes", [False, True])
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
async def test_nothing_older_than_what_was_seen_is_believed(
    client: Client, repository: TufRepository, role: str, with_hashes: bool
) -> None:
    repository.with_hashes = with_hashes
    repository.publish(*EVERYTHING)
    assert not await client.refused()
    repository.payloads[role].version = 0
    above = EVERYTHING[EVERYTHING.index(role) :] if role != "timestamp" else ("timestamp",)
    repository.publish(*above)
    assert await client.refused()
    assert client.version(role) == 2


@pytest.mark.parametrize(
    ("ahead", "new_keys"),
    [("timestamp", ("timestamp",)), ("snapshot", ("snapshot", "timestamp")), ("targets", ("snapshot",))],
)
async def test_new_keys_undo_versions_that_were_run_ahead(
    client: Client, repository: TufRepository, ahead: str, new_keys: tuple[str, ...]
) -> None:
    await client.look()
    repository.payloads[ahead].version = 99_999
    repository.publish(*EVERYTHING)
    assert not await client.refused()
    assert client.version(ahead) == 100_000
    for role in new_keys:
        repository.rotate(role)
    repository.payloads[ahead].version = 0
    repository.publish("root", *EVERYTHING)
    assert not await client.refused()
    assert client.version(ahead) == 1


# Versions of a role as (keys, threshold, who signs); `refused`: the last one is.
ROTATIONS = [
    ("1 of 1", ["1/1/1", "2/1/21", "2/1/2"], False),
    ("signatures that nobody asked for", ["1/1/314", "2/1/3214", "2/1/324"], False),
    ("3 of 5, other ones each time", ["01234/3/024", "01234/3/041", "01234/3/013"], False),
    ("3 of 5, one rotated", ["01234/3/024", "01345/3/041"], False),
    ("3 of 5, one rotated in between", ["01234/3/024", "01345/3/0245", "01345/3/045"], False),
    ("3 of 5, all rotated", ["01234/3/024", "56789/3/024567", "56789/3/567"], False),
    ("a higher threshold", ["123/1/1", "123/2/12"], False),
    ("a lower threshold", ["123/2/12", "123/1/12", "123/1/1"], False),
    ("one more key", ["1/1/1", "12/2/12"], False),
    ("not by the old key", ["1/1/1", "2/1/234"], True),
    ("not by the new key", ["1/1/1", "2/1/134"], True),
    ("not by 3 of the new keys", ["01234/3/024", "01345/3/024"], True),
    ("not by 3 of the old keys", ["01234/3/024", "01345/3/045"], True),
    ("not by the higher threshold", ["123/1/1", "123/2/2"], True),
    ("not by the old threshold", ["123/2/12", "123/1/1"], True),
]


@pytest.fixture(scope="module")
def ten() -> list[CryptoSigner]:
    return [CryptoSigner.generate_ed25519() for _ in range(10)]


def keyed(repository: TufRepository, role: str, said: str, ten: list[CryptoSigner]) -> None:
    keys, threshold, signers = said.split("/")
    for key_id in list(repository.root.roles[role].keyids):
        repository.root.revoke_key(key_id, role)
    repository.root.roles[role].threshold = int(threshold)
    for number in keys:
        repository.root.add_key(ten[int(number)].public_key, role)
    repository.signers[role] = {ten[int(n)].public_key.keyid: ten[int(n)] for n in signers}


@pytest.mark.parametrize(
    ("versions", "refused"), [case[1:] for case in ROTATIONS], ids=[case[0] for case in ROTATIONS]
)
async def test_roots_follow_each_other_by_both_keys(
    client: Client, repository: TufRepository, ten: list[CryptoSigner], versions: list[str], refused: bool
) -> None:
    repository.root.version = 0
    for said in versions:
        keyed(repository, "root", said, ten)
        repository.publish("root")
    client.root = repository.published["root"][1]
    assert await client.refused() == refused
    assert client.version("root") == len(versions) - refused


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("2/1/2", False),
        ("1/1/314", False),
        ("2/1/134", True),
        ("01345/3/024", True),
        ("01345/3/04", True),
        ("01234/3/024", False),
        ("01234/3/041", False),
        ("01234/3/123", False),
        ("01234/3/234", False),
    ],
)
async def test_other_roles_are_signed_as_the_newest_root_says(
    client: Client, repository: TufRepository, ten: list[CryptoSigner], role: str, said: str, refused: bool
) -> None:
    await client.look()
    keyed(repository, role, said, ten)
    repository.publish("root", *EVERYTHING)
    assert await client.refused() == refused
    assert client.version(role) == (1 if refused else 2)
