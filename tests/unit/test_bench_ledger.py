"""The bench of the ledger counts what a verifier misses: with one that is broken it is not zero."""

from __future__ import annotations

import pytest

from edge.egress import verify
from tests import ledger_exports as exports
from tests.bench import ledger_tampers


def _small(beginning: str = "") -> exports.Files:
    files = exports.export(exports.ordinary(3))
    return {name: data for name, data in files.items() if name.startswith(beginning)}


def test_every_bit_lies_in_one_unit() -> None:
    units = ledger_tampers.Units(_small("tile"))
    units.run()
    assert units.turned.total() + units.not_turned == 8 * sum(map(len, _small("tile").values()))
    assert units.not_turned == 8 * 3 * 32
    assert units.missed.total() == 0


def test_a_hash_that_leaves_out_the_end_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_of = verify.leaf_hash
    monkeypatch.setattr(verify, "leaf_hash", lambda entry: hash_of(bytes(entry[:-1]) + b"}"))
    units = ledger_tampers.Units(_small("tile"))
    units.run()
    assert units.missed["entry"] == 3 * 8


def test_a_signature_that_nobody_checks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.Key, "signed", lambda self, signature, message: True)
    units = ledger_tampers.Units(_small("checkpoint"))
    units.run()
    assert units.missed["checkpoint"] > 0


def test_what_is_moved_or_repeated_is_really_another_record() -> None:
    entries = exports.ordinary(600)
    files = exports.export(entries, earlier=(300,))
    kept = files["checkpoint"]
    assert not ledger_tampers.found_by_a_run(files, kept)
    for name, changed in ledger_tampers.rewritten(entries, kept):
        assert changed != {**files, "checkpoint": kept}, name
    tampers = list(ledger_tampers.resigned(entries))
    assert all(ledger_tampers.found_by_a_run(changed, kept) for _, changed in tampers)
