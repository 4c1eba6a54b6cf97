"""The ledger: chain, torn tail at every byte, tampering at every byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.egress.ledger import Checkpoint, Draft, Ledger, LedgerBroken, LedgerInUse, read, verify


def _intent(number: int) -> Draft:
    return Draft(
        "intent",
        {
            "envelope": f"{number:032x}",
            "destination": "cloud.example:7443",
            "kind": "outbox_batch",
            "rows": number,
            "bytes": 100,
            "policy": "",
            "verdict": "schema",
            "commitment": "ab" * 32,
        },
    )


def _close(number: int) -> Draft:
    fields = {"envelope": f"{number:032x}", "outcome": "written", "bytes": 100, "destination_key": ""}
    return Draft("close", {**fields, "tokens_up": 0, "tokens_down": 0})


def _written(path: Path, pairs: int) -> bytes:
    ledger = Ledger.open(path, now_ms=lambda: 1_700_000_000_000)
    for number in range(pairs):
        ledger.append([_intent(number)])
        ledger.append([_close(number)])
    ledger.close()
    return path.read_bytes()


def test_what_was_appended_verifies(tmp_path: Path) -> None:
    path = tmp_path / "courier" / "ledger.jsonl"
    _written(path, 3)
    report = verify(path)
    assert (report.ok, report.leaves, report.envelopes, report.bytes_sent) == (True, 6, 3, 300)
    assert (report.open_envelopes, report.torn_bytes, report.problem) == (0, 0, "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    _written(path, 1)
    head = verify(path).head
    ledger = Ledger.open(path)
    assert ledger.head == Checkpoint(1, head)
    (leaf,) = ledger.append([_intent(7)])
    assert (leaf.index, leaf.previous) == (2, head)
    ledger.close()


def test_a_missing_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert verify(tmp_path / "ledger.jsonl").ok


def test_a_line_torn_at_any_byte_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # 250 recoveries; the disk is not what is tested
    path = tmp_path / "ledger.jsonl"
    whole = _written(path, 2)
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(last + 1, len(whole)):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        path.write_bytes(whole[:cut])
        assert verify(path).torn_bytes == cut - last
        Ledger.open(path).close()
        report = verify(path)
        assert (report.ok, report.leaves, report.torn_bytes, report.open_envelopes) == (True, 5, 0, 0)
        assert [leaf.type for leaf in read(path)][3:] == ["recovery", "close"]
        assert (tmp_path / "ledger.torn-3").read_bytes() == whole[last:cut]


def test_an_intent_without_a_close_is_closed_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger.open(path)
    ledger.append([Draft("link", {"envelope": "aa", "destination": "cloud:1"}), _intent(1)])
    ledger.close()
    assert verify(path).open_envelopes == 2
    Ledger.open(path).close()
    outcomes = {leaf.type: leaf.fields["outcome"] for leaf in read(path) if "outcome" in leaf.fields}
    assert outcomes == {"link_close": "unknown", "close": "unknown"}
    assert verify(path).open_envelopes == 0


@pytest.mark.proves("record-of-egress")
def test_any_flipped_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = _written(path, 1)
    with path.open("r+b", buffering=0) as file:
        for position in range(len(whole) - 1):  # without the last line's end: that is a torn tail
            os.pwrite(file.fileno(), bytes([whole[position] ^ 1]), position)
            assert not verify(path).ok, position
            os.pwrite(file.fileno(), whole[position : position + 1], position)
    assert verify(path).ok
    path.write_bytes(whole[:-2] + b"x\n")
    with pytest.raises(LedgerBroken):
        Ledger.open(path)


@pytest.mark.proves("record-of-egress")
@pytest.mark.parametrize("change", ["remove", "swap", "repeat"])
def test_lines_cannot_be_moved(tmp_path: Path, change: str) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = _written(path, 2).splitlines(keepends=True)
    if change == "remove":
        del lines[1]
    elif change == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines.insert(1, lines[1])
    path.write_bytes(b"".join(lines))
    assert "does not fit the chain" in verify(path).problem


@pytest.mark.proves("record-of-egress")
def test_a_checkpoint_shows_a_cut_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = _written(path, 2)
    checkpoint = Checkpoint(3, verify(path).head)
    assert verify(path, checkpoint).ok
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert verify(path).ok
    assert "cut off" in verify(path, checkpoint).problem


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.jsonl")
    with pytest.raises(LedgerInUse):
        Ledger.open(tmp_path / "ledger.jsonl")
    ledger.close()


def test_a_leaf_says_neither_more_nor_less_than_its_type(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.jsonl")
    with pytest.raises(ValueError, match="wrong fields"):
        ledger.append(
            [Draft("close", {"envelope": "aa", "outcome": "written", "bytes": 1, "note": "Mrs Miller"})]
        )
    ledger.close()


def test_a_rewritten_line_with_a_fitting_hash_breaks_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = _written(path, 2).splitlines()
    body = json.loads(lines[0]) | {"bytes": 1}
    path.write_bytes(
        b"\n".join([json.dumps(body, sort_keys=True, separators=(",", ":")).encode(), *lines[1:]]) + b"\n"
    )
    assert not verify(path).ok
