"""The single-file verifier on a visitor's receipt: as it was made it passes, whatever is changed does not."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.egress import verify
from edge.egress.courier.leaves import close
from edge.egress.exits import CLAIM
from edge.egress.ledger.excerpt import excerpt
from edge.egress.ledger.export import exported
from edge.egress.ledger.leaf_types import Draft
from edge.egress.ledger.log import Log
from edge.egress.proofs.receipt import proven
from edge.paths import SitePaths, site_paths
from edge.privacy import receipts

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FIRST, AGAIN, UNDER_WAY, NEVER = ("5f" * 16, "60" * 16, "61" * 16, "62" * 16)
SITES_WORD = {"session_id", "at_ms", "purpose", "destination", "site_network", "claim"}
"""What nothing but the site's signature stands for."""
NOT_IN_THE_LEDGER = {("left", 3, "envelope"), ("left", 3, "label"), ("left", 4, "label")}
"""Of what the ledger does not name nothing is proven but that, as far as the receipt goes, it has no entry."""

Path_ = tuple[str | int, ...]


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path / "site")


@pytest.fixture
def log(paths: SitePaths) -> Iterator[Log]:
    opened = Log.open(paths.ledger)
    yield opened
    opened.close()


def signed(body: dict[str, Any]) -> dict[str, Any]:
    return receipts.signed(receipts.Kind.VISITOR, body, KEY)


def intent(envelope: str, size: int, to: str = "cloud.example:7443") -> Draft:
    fields = {"destination": to, "kind": "generate", "rows": 0, "bytes": size}
    more = {"envelope": envelope, "policy": "ab" * 32, "verdict": "public", "commitment": "cd" * 32}
    return Draft("intent", fields | more)


def ended(envelope: str, size: int, outcome: str = "written") -> Draft:
    return close(bytes.fromhex(envelope), outcome, size, "ef" * 32)


def left(envelope: str, size: int) -> dict[str, Any]:
    what = {"at_ms": 1_800_000_000_000, "purpose": "overflow", "bytes": size, "label": "public"}
    return {**what, "envelope": envelope, "destination": "control-plane", "record": None}


def told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    uses = [{"at_ms": 1, "service": "llm_server", "bytes": 300, "outcome": "whole"}]
    total = sum(row["bytes"] for row in rows)
    return {"left_bytes": total, "left": rows, "site_network": uses, "claim": CLAIM}


def made(log: Log, paths: SitePaths, rows: list[dict[str, Any]]) -> dict[str, Any]:
    named = frozenset(row["envelope"] for row in rows if row["envelope"])
    found = excerpt(paths.ledger, log.checkpoint(), named, time.time_ns() // 1_000_000)
    body = proven(told(rows), found)
    return signed({"session_id": "s1", "at_ms": 1_800_000_000_500, **body})


@pytest.fixture
def receipt(log: Log, paths: SitePaths) -> dict[str, Any]:
    """Of four texts one was announced twice, one has not ended, one never came to the courier; a sibling's sum."""
    log.append([intent(FIRST, 1200), ended(FIRST, 1200), intent(AGAIN, 640), ended(AGAIN, 0, "failed")])
    log.append([intent("77" * 16, 9), intent(AGAIN, 640), ended(AGAIN, 640), intent(UNDER_WAY, 5)])
    rows = [left(FIRST, 1200), left(AGAIN, 640), left(UNDER_WAY, 5), left(NEVER, 7), left("", 50)]
    return made(log, paths, rows)


def read(receipt: dict[str, Any], **keys: Any) -> verify.Receipt:
    return verify.read_receipt(json.dumps(receipt).encode(), **keys)


def resigned(receipt: dict[str, Any]) -> dict[str, Any]:
    """As a site would sign it that tells something else than its ledger."""
    own = {name: value for name, value in receipt.items() if name not in ("signature", "format", "key")}
    return signed(own)


def places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Every value that has no parts."""
    if isinstance(value, dict | list) and value:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*at, name))
    else:
        yield at


def changed(receipt: dict[str, Any], at: Path_, change: Callable[[Any], Any]) -> dict[str, Any]:
    other = copy.deepcopy(receipt)
    inside: Any = other
    for name in at[:-1]:
        inside = inside[name]
    inside[at[-1]] = change(inside[at[-1]])
    return other


def another(value: Any) -> Any:
    """A value of the same kind."""
    match value:
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case None:
            return "x"
        case _:
            return [*value, "x"]


def test_what_was_made_passes(receipt: dict[str, Any]) -> None:
    found = read(receipt, site_key=KEY.public_key().public_bytes_raw())
    document = verify.receipt_document(found, None)
    assert [one["outcome"] for one in document["left"]] == ["written", "written", "open", "absent", ""]
    assert [one["entries"] for one in document["left"]] == [[1, 2], [3, 4, 6, 7], [8], [], []]
    assert document["left_bytes"] == 1902
    assert any("has no entry of 1 of these envelopes" in one for one in document["not_claimed"])
    text = verify.receipt_in_words(document)
    assert "1,902 bytes in 5 texts" in text
    assert "cloud.example:7443" in text


@pytest.mark.parametrize(
    ("outcomes", "told_outcome", "to"),
    [
        (["failed", "not_sent"], "failed", ["replica0:1"]),
        (["failed", "written"], "written", ["replica0:1", "replica1:1"]),
        (["not_sent", "failed", "not_sent"], "failed", ["replica1:1"]),
        (["not_sent", "not_sent"], "not_sent", []),
    ],
)
def test_of_several_replicas_all_are_told_that_may_have_been_sent_some(
    log: Log, paths: SitePaths, outcomes: list[str], told_outcome: str, to: list[str]
) -> None:
    for number, outcome in enumerate(outcomes):
        size = 9 if outcome == "written" else 0
        log.append([intent(FIRST, 9, f"replica{number}:1"), ended(FIRST, size, outcome)])
    told = made(log, paths, [left(FIRST, 9)])
    (one,) = verify.receipt_document(read(told), None)["left"]
    assert (one["outcome"], one["addresses"]) == (told_outcome, to)
    record = told["left"][0]["record"]
    record |= {"outcome": outcomes[-1], "addresses": [f"replica{len(outcomes) - 1}:1"]}
    if (told_outcome, to) != (record["outcome"], record["addresses"]):
        with pytest.raises(verify.Wrong, match="something else"):
            read(resigned(told))


def test_whatever_is_changed_is_found(receipt: dict[str, Any]) -> None:
    all_places = list(places(receipt))
    assert len(all_places) > 80
    for at in all_places:
        with pytest.raises(verify.Wrong):
            read(changed(receipt, at, another))
    for name in receipt:
        with pytest.raises(verify.Wrong):
            read({other: value for other, value in receipt.items() if other != name})
    with pytest.raises(verify.Wrong):
        read({**receipt, "more": 1})
    with pytest.raises(verify.Wrong):
        verify.read_receipt(b'{"claim":"",' + json.dumps(receipt).encode()[1:])  # twice the same name


def test_what_the_site_itself_tells_otherwise_than_its_ledger_is_found(receipt: dict[str, Any]) -> None:
    read(resigned(receipt))
    own = {"signature", "format", "key"}
    words = SITES_WORD | own
    provable = [at for at in places(receipt) if at not in NOT_IN_THE_LEDGER and not words & set(map(str, at))]
    assert len(provable) > 60
    for at in provable:
        with pytest.raises(verify.Wrong):
            read(resigned(changed(receipt, at, another)))


@pytest.mark.parametrize(
    "change",
    [
        lambda left: left[1]["record"]["leaves"].pop(),  # how it ended
        lambda left: left[1]["record"]["leaves"].pop(0),
        lambda left: left[0].update(record=None),
        lambda left: left[0].update(record=left[1]["record"]),
        lambda left: left.append(left[0]),
        lambda left: left[0]["record"].update(leaves=left[0]["record"]["leaves"][::-1]),
    ],
    ids=["open again", "never announced", "no record", "another's record", "twice", "reversed"],
)
def test_leaves_that_were_left_out_are_missed(
    receipt: dict[str, Any], change: Callable[[list[dict[str, Any]]], object]
) -> None:
    change(receipt["left"])
    receipt["left_bytes"] = sum(row["bytes"] for row in receipt["left"])
    with pytest.raises(verify.Wrong):
        read(resigned(receipt))


def test_other_keys_than_those_given_are_refused(receipt: dict[str, Any], log: Log) -> None:
    with pytest.raises(verify.Wrong, match="another key than the site's"):
        read(receipt, site_key=bytes(32))
    with pytest.raises(verify.Wrong, match="another key"):
        read(receipt, log_key=verify.Key("postern-ledger/x", verify.LOG_KIND, b"x" * 32))
    assert read(receipt, log_key=verify.Key.parse(receipt["proof"]["log_key"], verify.LOG_KIND)).checkpoint


def test_nothing_left_and_no_courier_are_told_for_what_they_are(log: Log, paths: SitePaths) -> None:
    nothing = verify.receipt_document(read(made(log, paths, [])), None)
    assert (nothing["left_bytes"], nothing["entries"]) == (0, 1)
    assert any("the site says that none is of this" in one for one in nothing["claimed"])
    away = {
        "session_id": "s",
        "at_ms": 1,
        **told([left(FIRST, 3)]),
        "proof": None,
        "proof_missing": "courier_away",
    }
    unproven = verify.receipt_document(read(signed(away)), None)
    assert any("courier_away" in one for one in unproven["not_claimed"])
    with pytest.raises(verify.Wrong, match="contradicts itself"):
        read(signed({**away, "proof_missing": ""}))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"left":NaN}', b"1" * 5_000])
def test_what_is_no_receipt_is_said_so(data: bytes) -> None:
    with pytest.raises(verify.Wrong, match="not a visitor's receipt"):
        verify.read_receipt(data)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = verify.main([str(one) for one in arguments])
    out = capsys.readouterr()
    return status, out.out + out.err


def test_from_the_command_line_alone_and_against_an_export(
    receipt: dict[str, Any], log: Log, paths: SitePaths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, key, export = tmp_path / "receipt.json", tmp_path / "receipts.pub", tmp_path / "export.zip"
    file.write_text(json.dumps(receipt))
    key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    log.append([ended(UNDER_WAY, 5)])
    log.checkpoint()
    with exported(paths) as files:
        files.write(export)
    status, text = run(capsys, "--receipt", file, export, "--site-key", key)
    assert (status, "goes on from there" in text, "is genuine" in text) == (0, True, True)
    # No meter ran beside this ledger.
    assert "Did anything else leave the host, of that day until then? Nobody can tell" in text
    status, text = run(capsys, "--receipt", file, export, "--json")
    assert json.loads(text)["record_given"] is True
    file.write_text(json.dumps({**receipt, "left_bytes": 0}))
    status, text = run(capsys, "--receipt", file)
    assert (status, text.startswith("WRONG.")) == (3, True)
    assert run(capsys, "--receipt", file, "--site-key", file)[0] == 2
    assert run(capsys, "--receipt", tmp_path / "none")[0] == 2
    assert run(capsys, "--receipt", file, "--need", 1)[0] == 2


def test_a_receipt_whose_key_nobody_told_is_not_called_the_sites(
    receipt: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt))
    status, text = run(capsys, "--receipt", file)
    assert (status, "genuine" in text, "The site said so" in text) == (0, False, False)
    assert "Whether the site signed it is not known" in text
    assert "anybody can make one" in text
    assert "That all that left is in the record: a receipt does not tell whether anybody compared" in text
    log_key = receipt["proof"]["log_key"]
    for given in ((), ("--log-key", log_key)):
        told = json.loads(run(capsys, "--receipt", file, "--json", *given)[1])
        assert (told["site_key_given"], told["log_key_given"]) == (False, bool(given))


def test_an_export_without_what_the_receipt_saw_does_not_pass(
    log: Log, paths: SitePaths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, export = tmp_path / "receipt.json", tmp_path / "export.zip"
    log.append([intent(FIRST, 1200)])
    log.checkpoint()
    with exported(paths) as files:  # as if what came then had been cut off
        files.write(export)
    log.append([ended(FIRST, 1200)])
    file.write_text(json.dumps(made(log, paths, [left(FIRST, 1200)])))
    status, text = run(capsys, "--receipt", file, export)
    assert (status, text.startswith("WRONG, or too old."), "the end was cut off" in text) == (3, True, True)
    assert "was made before it (ask for a newer one)" in text
