"""What theupdateframework/tuf-conformance asks of a client, asked of ours in our own words.

`ASKED` names each of its test functions (of its newest and of older releases) with the test here that asks the same, or
why none does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, MetaFile

from edge.updates.tuf_client import InvalidRoot
from tests.tuf_repository import EVERYTHING, TufRepository
from tests.unit.edge.updates.conftest import Client

ASKED = {
    # test_basic.py
    "test_basic_refresh_requests": "test_a_first_look_asks_for_four_files_in_order",
    "test_basic_init_and_refresh": "test_a_first_look_asks_for_four_files_in_order",
    "test_basic_refresh_trusted_data": "test_a_first_look_asks_for_four_files_in_order",
    "test_implicit_refresh": "test_a_first_look_asks_for_four_files_in_order",
    "test_invalid_initial_root": "test_a_root_that_is_none_begins_nothing",
    "test_unsigned_initial_root": "test_a_root_that_is_none_begins_nothing",
    "test_unsigned_metadata": "test_a_role_that_is_not_signed_ends_the_look_there",
    "test_url_and_metadata_version_mismatch": "test_another_version_under_the_name_is_refused",
    "test_timestamp_content_changes": "test_a_timestamp_that_changed_under_its_version_is_not_taken",
    "test_timestamp_eq_versions_check": "test_a_timestamp_that_changed_under_its_version_is_not_taken",
    "test_basic_metadata_hash_support": "test_hashes_of_metadata_are_checked",
    "test_new_targets_hash_mismatch": "test_hashes_of_metadata_are_checked",
    "test_new_targets_version_mismatch": "test_targets_that_no_snapshot_names_are_not_asked_for",
    "test_metadata_bytes_match": "test_bytes_are_kept_as_they_came",
    "test_custom_fields": "test_fields_that_nobody_knows_are_part_of_what_is_signed",
    "test_deprecated_keyid_hash_algorithms": "test_fields_that_nobody_knows_are_part_of_what_is_signed",
    "test_wrong_hashing_algorithm": "test_fields_that_nobody_knows_are_part_of_what_is_signed",
    "test_snapshot_404": "test_a_file_that_is_named_and_missing_is_refused",
    "test_targets_404": "test_a_file_that_is_named_and_missing_is_refused",
    "test_timestamp_404": "test_a_file_that_is_named_and_missing_is_refused",
    "test_incorrect_metadata_type": "test_metadata_of_another_kind_is_refused",
    "test_faketime": "- asks whether the suite's own clock works; the tests of expiry here fail without theirs",
    # test_expiration.py, test_delegated_expiration.py
    "test_root_expired": "test_what_is_expired_is_refused",
    "test_timestamp_expired": "test_what_is_expired_is_refused",
    "test_snapshot_expired": "test_what_is_expired_is_refused",
    "test_targets_expired": "test_what_is_expired_is_refused",
    "test_expired_metadata": "test_what_expired_here_still_serves_to_follow_what_is_newer",
    "test_delegated_targets_expired": "test_delegated_targets_that_are_expired_name_nothing",
    "test_expired_local_delegated_targets": "test_delegated_targets_that_expired_here_name_nothing",
    "test_expired_local_delegated_targets_updates": "test_delegated_targets_that_expired_here_are_replaced",
    "test_TestDelegateConsistentSnapshotDisabled": "test_names_without_versions_are_asked_for_where_the_root_says_so",
    # test_file_download.py
    "test_client_downloads_expected_file": "test_content_is_taken_only_as_it_was_signed",
    "test_client_downloads_expected_file_in_sub_dir": "test_content_is_taken_only_as_it_was_signed",
    "test_repository_substitutes_target_file": "test_content_is_taken_only_as_it_was_signed",
    "test_multiple_changes_to_target": "test_content_that_changes_often_is_followed_and_nothing_else",
    "test_downloaded_file_is_correct": "test_content_is_taken_only_as_it_was_signed",
    "test_downloaded_file_is_correct2": "test_content_is_taken_only_as_it_was_signed",
    "test_downloaded_file_is_correct3": "test_content_that_changes_often_is_followed_and_nothing_else",
    # test_keys.py
    "test_snapshot_does_not_meet_threshold": "test_fewer_signatures_than_the_threshold_are_refused",
    "test_snapshot_threshold": "test_fewer_signatures_than_the_threshold_are_refused",
    "test_root_has_keys_but_not_snapshot": "test_fewer_signatures_than_the_threshold_are_refused",
    "test_snapshot_has_too_few_keys": "test_fewer_signatures_than_the_threshold_are_refused",
    "test_duplicate_keys_root": "test_one_key_that_is_named_often_signs_once",
    "test_keytype_and_scheme": "test_kinds_of_keys",
    # test_rollback.py
    "test_simple_snapshot_rollback": "test_a_snapshot_that_no_timestamp_names_is_not_asked_for",
    "test_new_snapshot_version_mismatch": "test_a_snapshot_that_no_timestamp_names_is_not_asked_for",
    "test_new_timestamp_version_rollback": "test_nothing_older_than_what_was_seen_is_believed",
    "test_snapshot_rollback": "test_nothing_older_than_what_was_seen_is_believed",
    "test_targets_rollback": "test_nothing_older_than_what_was_seen_is_believed",
    "test_new_timestamp_fast_forward_recovery": "test_new_keys_undo_versions_that_were_run_ahead",
    "test_new_snapshot_fast_forward_recovery": "test_new_keys_undo_versions_that_were_run_ahead",
    "test_new_targets_fast_forward_recovery": "test_new_keys_undo_versions_that_were_run_ahead",
    # test_updater_delegation_graphs.py
    "test_graph_traversal": "test_delegations_are_walked_in_order",
    "test_targetfile_search": "test_a_delegated_target_is_found_where_the_paths_lead",
    # test_updater_key_rotations.py
    "test_root_rotation": "test_roots_follow_each_other_by_both_keys",
    "test_non_root_rotations": "test_other_roles_are_signed_as_the_newest_root_says",
    # test_quoting_issues.py
    "test_unusual_role_name": "test_a_role_with_an_odd_name_is_not_asked_for",
    # test_static_repositories.py
    "test_static_repository": "- files of other makers' repositories; our own are read in test_trust.py",
    # of the suite itself
    "test_repo_initialzation": "- asks whether the suite's own simulator works",
}


def test_every_function_of_the_suite_is_asked_or_explained() -> None:
    files = Path(__file__).parent.glob("test_tuf_*.py")
    tests = {
        name
        for file in files
        for name in re.findall(r"^async def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    missing = {name for name, here in ASKED.items() if not here.startswith("- ") and here not in tests}
    assert not missing


async def test_a_first_look_asks_for_four_files_in_order(client: Client, repository: TufRepository) -> None:
    assert await client.look() is None
    assert repository.asked == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    for role in EVERYTHING:
        assert (client.folder / f"{role}.json").read_bytes() == repository.newest[role]
    assert client.version("root") == 1


@pytest.mark.parametrize("harm", ["no version", "another signature", "another kind", "no JSON"])
async def test_a_root_that_is_none_begins_nothing(
    client: Client, repository: TufRepository, harm: str
) -> None:
    document = json.loads(client.root)
    if harm == "no version":
        del document["signed"]["version"]
    elif harm == "another signature":
        document["signatures"][0]["sig"] = "00" * 64
    client.root = {
        "another kind": repository.newest["targets"],
        "no JSON": b"not a root",
    }.get(harm, json.dumps(document).encode())
    with pytest.raises(InvalidRoot):
        await client.look()
    assert repository.asked == []


@pytest.mark.parametrize(
    ("role", "trusted"),
    [
        ("root", {"root": 1}),
        ("timestamp", {"root": 2}),
        ("snapshot", {"root": 2, "timestamp": 2}),
        ("targets", {"root": 2, "timestamp": 2, "snapshot": 2}),
    ],
)
async def test_a_role_that_is_not_signed_ends_the_look_there(
    client: Client, repository: TufRepository, role: str, trusted: dict[str, int]
) -> None:
    repository.signers[role].popitem()
    repository.publish("root", *EVERYTHING)
    assert await client.refused()
    assert client.trusted() == trusted


@pytest.mark.parametrize("role", ["root", "snapshot", "targets"])
async def test_another_version_under_the_name_is_refused(
    client: Client, repository: TufRepository, role: str
) -> None:
    repository.publish("root", *EVERYTHING)
    payload = repository.payloads[role]
    payload.version += 1
    repository.put(role, 2, repository.signed(role))
    assert await client.refused()
    assert client.version(role) in {None, 1}


async def test_a_timestamp_that_changed_under_its_version_is_not_taken(
    client: Client, repository: TufRepository
) -> None:
    await client.look()
    repository.timestamp.snapshot_meta.version = 100
    repository.put("timestamp", 1, repository.signed("timestamp"))
    assert not await client.refused()
    assert repository.asked[-1] == ("timestamp", None)
    kept = Metadata.from_file(str(client.folder / "timestamp.json"))
    assert kept.signed.snapshot_meta.version == 1


async def test_hashes_of_metadata_are_checked(client: Client, repository: TufRepository) -> None:
    repository.with_hashes = True
    repository.publish(*EVERYTHING)
    assert not await client.refused()
    repository.publish("targets", "snapshot")
    repository.snapshot.meta["targets.json"].hashes = {"sha256": "0" * 64}
    repository.put("snapshot", 3, repository.signed("snapshot"))
    repository.publish("timestamp")
    assert await client.refused()
    assert (client.version("snapshot"), client.version("targets")) == (3, 2)


async def test_targets_that_no_snapshot_names_are_not_asked_for(
    client: Client, repository: TufRepository
) -> None:
    await client.look()
    repository.publish("targets")
    assert not await client.refused()
    assert client.version("targets") == 1
    assert repository.asked[-1] == ("timestamp", None)


async def test_bytes_are_kept_as_they_came(client: Client, repository: TufRepository) -> None:
    content = repository.newest["timestamp"] + b" "
    repository.put("timestamp", 1, content)
    await client.look()
    assert (client.folder / "timestamp.json").read_bytes() == content


async def test_fields_that_nobody_knows_are_part_of_what_is_signed(
    client: Client, repository: TufRepository
) -> None:
    await client.look()
    key = next(iter(repository.root.keys.values()))
    key.unrecognized_fields["keyid_hash_algorithms"] = ["md5"]
    repository.root.unrecognized_fields["a field"] = {"of": ["somebody", 1]}
    repository.root.roles["root"].unrecognized_fields["another"] = "value"
    repository.publish("root", "snapshot", "timestamp")
    assert not await client.refused()
    assert client.version("root") == 2
    document = json.loads(repository.newest["root"])
    document["signed"]["a field"] = "changed"
    document["signed"]["version"] = 3
    repository.put("root", 3, json.dumps(document).encode())
    assert await client.refused()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
async def test_a_file_that_is_named_and_missing_is_refused(
    client: Client, repository: TufRepository, role: str
) -> None:
    await client.look()
    repository.publish(*EVERYTHING)
    del repository.published[role][2]
    del repository.newest[role]
    assert await client.refused()
    assert repository.asked[-1] == (role, None if role == "timestamp" else 2)
    assert client.version("root") == 1


async def test_metadata_of_another_kind_is_refused(client: Client, repository: TufRepository) -> None:
    (signer,) = repository.signers["timestamp"].values()
    repository.add_key("snapshot", signer)
    repository.snapshot.meta = {"snapshot.json": MetaFile(1)}
    repository.snapshot.version = 2
    repository.publish("root")
    repository.put("timestamp", 2, repository.signed("snapshot"))
    assert await client.refused()
    assert client.trusted() == {"root": 2}


@pytest.mark.parametrize(
    ("role", "kept"),
    [
        ("root", {"root": 2, "timestamp": 1, "snapshot": 1, "targets": 1}),
        ("timestamp", {"root": 2, "timestamp": 1, "snapshot": 1, "targets": 1}),
        ("snapshot", {"root": 2, "timestamp": 2, "snapshot": 1, "targets": 1}),
        ("targets", {"root": 2, "timestamp": 2, "snapshot": 2, "targets": 1}),
    ],
)
async def test_what_is_expired_is_refused(
    client: Client, repository: TufRepository, role: str, kept: dict[str, int]
) -> None:
    await client.look()
    repository.payloads[role].expires -= timedelta(days=31)
    repository.publish("root", *EVERYTHING)
    assert await client.refused()
    assert client.trusted() == kept


async def test_what_expired_here_still_serves_to_follow_what_is_newer(
    client: Client, repository: TufRepository, days_later: Callable[[float], None]
) -> None:
    await client.look()
    days_later(31)
    assert await client.refused()
    for payload in repository.payloads.values():
        payload.expires += timedelta(days=60)
    repository.publish("root", *EVERYTHING)
    assert not await client.refused()
    assert client.trusted() == {"root": 2, "timestamp": 2, "snapshot": 2, "targets": 2}
    repository.put("timestamp", 1, repository.published["timestamp"][1])
    assert await client.refused()
