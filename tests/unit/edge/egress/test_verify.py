"""The single-file verifier: what is right passes, and every way of changing it is found."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.egress import verify
from tests import ledger_exports as exports
from tests.ledger_exports import LOG_VKEY, WITNESS_VKEYS, Files, Ledger


class InMemory:
    """An export that is not on the disk."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def names(self) -> list[str]:
        return list(self.files)

    def read(self, name: str, most: int) -> bytes:
        if name not in self.files:
            raise verify.Wrong(f"The file {name} is missing.")
        return self.files[name][: most + 1]


def check(files: Files, **asked: object) -> verify.Found:
    question = verify.ask(**{"log_key": LOG_VKEY, "witnesses": WITNESS_VKEYS, **asked})  # type: ignore[arg-type]
    return verify.verify(InMemory(files), question)


def told(files: Files, **asked: object) -> dict[str, object]:
    return verify.document(check(files, **asked))


def ledger() -> Ledger:
    """A connection, an envelope, a text, all closed and compared."""
    found = Ledger()
    found.begin()
    link = found.link()
    for text in (False, True):
        found.time_ms += 1_000
        envelope = found.intent(text=text)
        found.time_ms += 1_000
        found.close(envelope)
    found.link_close(link)
    found.time_ms += 1_000
    found.compare()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 513, 700])
def test_what_is_right_passes(size: int) -> None:
    files = exports.export(exports.ordinary(size), earlier=tuple(at for at in (1, 256, 300) if at < size))
    found = check(files)
    assert found.problems == []
    assert found.record.count == size
    assert [(one.name, one.size) for one in found.cosigned] == [(name, size) for name in exports.WITNESSES]
    assert found.strange == []


@pytest.mark.long
def test_a_tree_of_three_levels_passes() -> None:
    entries = exports.ordinary(256 * 256 + 257, compared=False)
    tiles = exports.tiles(entries)
    assert "tile/2/000.p/1" in tiles
    files = {"checkpoint": exports.checkpoint(entries, cosigned_s=1_772_500_000), **tiles}
    assert check(files).problems == []
    first, *rest = tiles["tile/1/000"]
    assert check({**files, "tile/1/000": bytes([first ^ 1, *rest])}).problems


def test_it_tells_what_left() -> None:
    document = told(exports.export(ledger().entries()))
    assert document["ok"]
    rows = {one["kind"]: one for one in document["left"]}  # type: ignore[attr-defined]
    assert (rows["outbox_batch"]["bytes"], rows["outbox_batch"]["rows"]) == (1_000, 7)
    assert rows["overflow_request"]["policy"] == exports.POLICY_HASH
    assert rows["overflow_request"]["destination_key"] == exports.CLOUD_KEY
    assert rows[verify.CONNECTIONS]["bytes"] == 200
    words = verify.in_words(document)
    assert "The record is whole: 8 entries, 2026-03-01" in words
    assert words.count("to cloud.example:7443") == 1
    assert "Complete for kernel-counted egress of this host from 2026-03-01 00:00:00 UTC" in words


def test_a_month_is_asked_for() -> None:
    found = Ledger()
    found.begin()
    for day in (0, 30, 31):  # 1 and 31 March, 1 April
        found.time_ms = exports.START_MS + day * 86_400_000
        found.close(found.intent(size=10 + day), 10 + day)
    files = exports.export(found.entries(), cosigned_s=found.time_ms // 1000)
    (march,) = told(files, first_day="2026-03-01", last_day="2026-03-31")["left"]  # type: ignore[misc]
    assert (march["envelopes"], march["bytes"]) == (2, 50)
    (april,) = told(files, first_day="2026-04-01")["left"]  # type: ignore[misc]
    assert (april["envelopes"], april["bytes"]) == (1, 41)
    late = told(files, first_day="2026-03-01", last_day="2026-05-31")["not_claimed"]
    assert any(said.startswith("It ends at 2026-04-01") for said in late)  # type: ignore[attr-defined]


def test_without_a_comparison_the_ledgers_word_is_all_there_is() -> None:
    document = told(exports.export(exports.ordinary(20, compared=False)))
    assert (document["whole"], document["explained"], document["ok"]) == (True, False, False)
    assert "not compared with the kernel's counters" in verify.in_words(document)
    assert "nothing but the ledger's own word stands" in verify.in_words(document)
    assert not any("Complete" in said for said in document["claimed"])  # type: ignore[attr-defined]


def test_a_discrepancy_is_told_and_not_fine() -> None:
    found = ledger()
    found.time_ms += 60_000
    found.compare(unexplained=777, other=100)
    document = told(exports.export(found.entries()))
    assert (document["whole"], document["explained"], document["ok"]) == (True, False, False)
    words = verify.in_words(document)
    assert "777 bytes of 3,001; refused by the kernel, of any user: 100 bytes" in words
    assert "but for 777 bytes" in words


def test_a_time_that_was_not_compared_is_told_and_not_fine() -> None:
    found = ledger()
    found.time_ms += 60_000
    found._compared_ms += 30_000
    found.compare()
    document = told(exports.export(found.entries()))
    assert (document["whole"], document["explained"], document["ok"]) == (True, False, False)
    words = verify.in_words(document)
    assert "2026-03-01 00:00:05 UTC to 2026-03-01 00:00:35 UTC: not compared" in words
    assert "but for times between that were not compared: 1" in words


def _missed_bits(files: Files, bits: tuple[int, ...], step: int = 1) -> list[tuple[str, int, int]]:
    missed = []
    for name, data in files.items():
        for at in range(0, len(data), step):
            for bit in bits:
                changed = bytearray(data)
                changed[at] ^= 1 << bit
                if not check({**files, name: bytes(changed)}).problems:
                    missed.append((name, at, bit))
    return missed


def test_bits_of_a_small_export_count() -> None:
    files = exports.export(ledger().entries(), earlier=(3,))
    assert told(files)["ok"]
    assert _missed_bits(files, (0,), step=7) == []


@pytest.mark.long
def test_every_single_bit_of_a_small_export_counts() -> None:
    assert _missed_bits(exports.export(ledger().entries(), earlier=(3,)), tuple(range(8))) == []


def _behind_lines(note: bytes) -> list[int]:
    return [at + 1 for at in range(len(note)) if note[at : at + 1] == b"\n"][4:]


def test_every_file_cut_anywhere_is_found() -> None:
    files = exports.export(ledger().entries(), earlier=(3,))
    # Cut behind a line of its signatures a checkpoint is a true one, which fewer witnesses have seen.
    fewer = {name: _behind_lines(data) for name, data in files.items() if name.startswith("checkpoint")}
    for name, data in files.items():
        for length in range(0, len(data), 3):
            true = length in fewer.get(name, ())
            assert true or check({**files, name: data[:length]}).problems, (name, length)
        assert check({**files, name: data + b"\n"}).problems, name
        left = {other: data for other, data in files.items() if other != name}
        if name.startswith("tile") or name == "checkpoint":
            assert check(left).problems, name


def _swapped(entries: list[bytes]) -> list[bytes]:
    return [*entries[:2], entries[4], entries[3], entries[2], *entries[5:]]


@pytest.mark.parametrize(
    "change",
    [_swapped, lambda e: e[:-1], lambda e: e[1:], lambda e: [*e, e[-1]], lambda e: [*e[:3], e[2], *e[3:]]],
    ids=["swapped", "cut", "beheaded", "repeated", "doubled"],
)
def test_entries_other_than_those_signed_are_found(change: Callable[[list[bytes]], list[bytes]]) -> None:
    entries = ledger().entries()
    signed = exports.checkpoint(entries, cosigned_s=1)
    changed = {**exports.tiles(change(entries)), "checkpoint": signed}
    assert check(changed).problems
    # And where root and log are the liar's as well, a checkpoint that somebody else kept shows it.
    rewritten = exports.export(change(entries))
    kept = verify.Checkpoint(signed, "kept")
    question = verify.Question(None, (), 0, (kept,))
    assert verify.verify(InMemory(rewritten), question).problems


def test_an_older_state_is_found_by_who_remembers_the_newer(tmp_path: Path) -> None:
    entries = ledger().entries()
    (tmp_path / "kept").write_bytes(exports.checkpoint(entries))
    old = exports.export(entries[:5])
    assert check(old).problems == []
    assert "cut off" in check(old, checkpoints=[str(tmp_path / "kept")]).problems[0]


def _signed(bodies: Callable[[Ledger], None]) -> list[str]:
    """What is found in a record that the log itself signed, after something was done to its entries."""
    found = ledger()
    bodies(found)
    return check(exports.export(found.entries())).problems


def _twice(found: Ledger) -> None:
    found.bodies.append(dict(found.bodies[2]))
    found.bodies.append(dict(found.bodies[3]))


def _twice_while_open(found: Ledger) -> None:
    found.intent()
    found.bodies.append(dict(found.bodies[-1]))


def _again_after(outcome: str, *more: str) -> Callable[[Ledger], None]:
    """An envelope that ended so, each time announced once more."""

    def change(found: Ledger) -> None:
        envelope = found.intent()
        announced = found.bodies[-1]
        for ended in (outcome, *more):
            found.close(envelope, 1_000 if ended == "written" else 0, ended)
            found.bodies.append(dict(announced))
        found.close(envelope)

    return change


def _unannounced(found: Ledger) -> None:
    found.close(found.envelope(), 0)


def _closed_twice(found: Ledger) -> None:
    found.bodies.append({**found.bodies[3], "bytes": 0})


def _said_written(outcome: str, size: int) -> Callable[[Ledger], None]:
    return lambda found: found.close(found.intent(), size, outcome)


def _false_sum(found: Ledger) -> None:
    found.bodies[-1]["ledger_bytes"] = 1
    found.bodies[-1]["kernel_bytes"] = 1


def _kernel_said_more(found: Ledger) -> None:
    found.bodies[-1]["kernel_bytes"] = 1_000_000


def _second_begin(found: Ledger) -> None:
    found.begin()


def _extra_field(found: Ledger) -> None:
    found.bodies[2]["note"] = 1


def _unknown_type(found: Ledger) -> None:
    found.bodies[2]["type"] = "hidden"


def _fraction(found: Ledger) -> None:
    found.bodies[2]["bytes"] = 1.0


def _negative(found: Ledger) -> None:
    found.bodies[2]["bytes"] = -1


def _escape(found: Ledger) -> None:
    found.bodies[2]["destination"] = "\x1b[2J"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_twice, "announced more than once"),
        (_twice_while_open, "announced more than once"),
        (_again_after("written"), "announced more than once"),
        (_again_after("unknown"), "announced more than once"),
        (_again_after("failed", "written"), "announced more than once"),
        (_again_after("written", "failed"), "announced more than once"),
        (_unannounced, "which is not open"),
        (_closed_twice, "which is not open"),
        (_said_written("written", 0), "of 1,000 bytes 0 were sent"),
        (_said_written("written", 1_001), "of 1,000 bytes 1,001 were sent"),
        (_said_written("not_sent", 500), "of 1,000 bytes 500 were sent"),
        (_said_written("unknown", 500), "of 1,000 bytes 500 were sent"),
        (_said_written("failed", 1_001), "of 1,000 bytes 1,001 were sent"),
        (_said_written("sent", 1_000), "out of bounds"),
        (_false_sum, "its entries say 2,000"),
        (_kernel_said_more, "leaves out bytes"),
        (_second_begin, "the ledger's beginning"),
        (_extra_field, "has not the fields"),
        (_unknown_type, "type is unknown"),
        (_fraction, "out of bounds"),
        (_negative, "out of bounds"),
        (_escape, "out of bounds"),
    ],
)
def test_a_log_that_lies_in_what_it_signs_is_found(change: Callable[[Ledger], None], words: str) -> None:
    assert any(words in problem for problem in _signed(change))


@pytest.mark.parametrize("outcomes", [["failed"], ["not_sent"], ["failed", "not_sent", "failed"]])
def test_what_failed_may_be_tried_again(outcomes: list[str]) -> None:
    assert _signed(_again_after(*outcomes)) == []


def test_a_clock_that_was_set_back_is_told_and_not_fine() -> None:
    found = ledger()
    found.time_ms -= verify.TIME_BACK_MAX_MS + 1
    found.link_close(found.link())
    document = told(exports.export(found.entries()))
    assert (document["whole"], document["explained"], document["ok"]) == (True, False, False)
    assert "the clock was set back at entry 8: 2026-03-01 00:00:05 UTC" in verify.in_words(document)


def test_a_witness_that_is_shown_a_record_that_stands_still_is_late() -> None:
    found = ledger()
    seen = found.entries()
    for hours in (1, 20):
        found.time_ms += hours * 3_600_000
        found.close(found.intent())
    now_s = found.time_ms // 1000
    files = exports.export(found.entries(), cosigned_s=None)
    files[f"checkpoints/{len(seen)}"] = exports.checkpoint(seen, cosigned_s=now_s)
    assert check(files).problems == []
    found.time_ms += 25 * 3_600_000
    found.close(found.intent())
    files = exports.export(found.entries(), cosigned_s=None)
    files[f"checkpoints/{len(seen)}"] = exports.checkpoint(seen, cosigned_s=found.time_ms // 1000)
    assert "2 of them only what was too long" in check(files).problems[0]
    assert check(files, last_day="2026-03-01").problems == []


def test_a_witness_given_twice_is_one() -> None:
    files = exports.export(ledger().entries())
    one = WITNESS_VKEYS[0]
    with pytest.raises(verify.Usage, match="2 witnesses cannot be asked for, of 1"):
        check(files, witnesses=(one, one), need=2)
    assert len(check(files, witnesses=(one, one)).cosigned) == 1


def test_a_witness_may_have_two_keys() -> None:
    entries, name = ledger().entries(), next(iter(exports.WITNESSES))
    older, newer = (exports._key(seed) for seed in ("older", "newer"))
    note = exports.checkpoint(entries)
    body = note.partition(b"\n\n")[0] + b"\n"
    for key in (older, newer):
        signature = (7).to_bytes(8, "big") + key.sign(b"cosignature/v1\ntime 7\n" + body)
        note += exports._line(name, exports._identifier(name, 4, key), signature).encode()
    files = {**exports.export(entries), "checkpoint": note}
    both = tuple(exports.vkey(name, 4, key) for key in (older, newer))
    assert [one.size for one in check(files, witnesses=both, need=0).cosigned] == [8, 8]
    assert (
        "If it has another key as well, give that too" in check(files, witnesses=both[:1], need=0).problems[0]
    )


def test_a_clock_that_is_set_right_is_no_lie() -> None:
    def back(found: Ledger) -> None:
        found.time_ms -= verify.TIME_BACK_MAX_MS
        found.link()

    assert _signed(back) == []


def test_another_form_of_the_same_json_is_found() -> None:
    entries = ledger().entries()
    entries[2] = json.dumps(json.loads(entries[2]), sort_keys=True).encode()
    assert check(exports.export(entries)).problems


def test_another_log_and_too_few_witnesses_are_found() -> None:
    entries = ledger().entries()
    files = exports.export(entries)
    other = exports.vkey("postern-ledger/" + "0" * 32, 1, exports.LOG)
    assert "begun under another key" in check(files, log_key=other).problems[0]
    alone = {**files, "checkpoint": exports.checkpoint(entries)}
    assert "Of the witnesses given 0 have signed" in check(alone).problems[0]
    seen = {**alone, "checkpoints/3": exports.checkpoint(entries[:3], cosigned_s=exports.START_MS // 1000)}
    assert check(seen).problems == []
    assert "The last 5 entries no witness of yours has seen" in verify.in_words(told(seen))
    long_ago = exports.checkpoint(entries[:3], cosigned_s=exports.START_MS // 1000 - 86_400)
    assert (
        "2 of them only what was too long before its end"
        in check({**alone, "checkpoints/3": long_ago}).problems[0]
    )
    assert check(alone, need=0).problems == []
    assert "vouches for itself" in verify.in_words(told(alone, log_key=None, need=0))


def test_a_policy_that_was_changed_is_found_and_one_that_is_absent_named() -> None:
    files = exports.export(ledger().entries())
    name = f"policies/{exports.POLICY_HASH}.json"
    assert check({**files, name: exports.POLICY + b" "}).problems
    del files[name]
    document = told(files)
    assert document["ok"]
    assert document["policies_missing"] == [exports.POLICY_HASH]
    assert "not in this export" in verify.in_words(document)


def test_it_is_one_file_for_python_3_9() -> None:
    source = Path(verify.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign == {"cryptography"}
