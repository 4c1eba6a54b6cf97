"""Targets: what delegated roles say of them, and their content, as `test_tuf_conformance` lists it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tuf.api.metadata import DelegatedRole

from edge.updates.trust import Trusted
from edge.updates.tuf_client import TrustRefused
from tests.tuf_repository import EVERYTHING, TufRepository
from tests.unit.edge.updates.conftest import Client


def delegated(repository: TufRepository, ends_in_days: float) -> None:
    payload = repository.delegate(DelegatedRole("inner", [], 1, False, ["inner/*"]))
    payload.expires = repository.ends + timedelta(days=ends_in_days - 30)
    repository.add_target("inner/file", b"content", "inner")
    repository.publish("inner", *EVERYTHING)


async def test_delegated_targets_that_are_expired_name_nothing(
    client: Client, repository: TufRepository
) -> None:
    delegated(repository, -1)
    assert not await client.refused()
    assert await client.refused("inner/file")
    assert client.version("inner") is None


async def test_delegated_targets_that_expired_here_name_nothing(
    client: Client, repository: TufRepository, days_later: Callable[[float], None]
) -> None:
    delegated(repository, 7)
    assert await client.look("inner/file")
    days_later(18)
    assert await client.refused("inner/file")


async def test_delegated_targets_that_expired_here_are_replaced(
    client: Client, repository: TufRepository, days_later: Callable[[float], None]
) -> None:
    delegated(repository, 7)
    assert await client.look("inner/file")
    repository.payloads["inner"].expires += timedelta(days=14)
    repository.publish("inner", "snapshot", "timestamp")
    days_later(18)
    assert await client.look("inner/file")


async def test_names_without_versions_are_asked_for_where_the_root_says_so(
    client: Client, repository: TufRepository
) -> None:
    repository.root.consistent_snapshot = False
    repository.publish("root")
    delegated(repository, 20)
    assert await client.look("inner/file")
    assert repository.asked[2:] == [(role, None) for role in (*EVERYTHING[::-1], "inner")]


def edges(text: str) -> tuple[tuple[str, str, str, bool], ...]:
    """`t>a` is a delegation; with `!` at the end a terminating one, with `*.py` only for such paths."""
    made = []
    for word in text.split():
        above, _, rest = word.partition(">")
        name, _, path = rest.rstrip("!").partition(":")
        made.append(("targets" if above == "t" else above, name, path or "*", rest.endswith("!")))
    return tuple(made)


@pytest.mark.parametrize(
    ("graph", "walked"),
    [
        ("t>a", "a"),
        ("t>a t>b", "a b"),
        ("t>a t>b b>c", "a b c"),
        ("t>a t>b a>c a>d", "a c d b"),
        ("t>a t>b a>c c>d", "a c d b"),
        ("t>a t>b a>c! a>d", "a c"),
        ("t>a t>b a>c! c>d", "a c d"),
        ("t>a:*.py t>b a>c", "b"),
        ("t>a t>b a>c:*.py c>d", "a b"),
        ("t>a t>b b>c c>d d>b", "a b c d"),
        ("t>a t>b b>c a>c", "a c b"),
        ("t>a t>b b>c a>c:*.py", "a b c"),
    ],
)
async def test_delegations_are_walked_in_order(
    client: Client, repository: TufRepository, graph: str, walked: str
) -> None:
    names = delegate_all(repository, graph)
    repository.publish(*names, *EVERYTHING)
    assert await client.look() is None
    assert [role for role, _ in repository.asked[4:]] == walked.split()


def delegate_all(repository: TufRepository, graph: str) -> list[str]:
    for above, name, path, terminating in edges(graph):
        if above not in repository.payloads:
            repository.delegate(DelegatedRole(above, [], 1, False, ["*"]), delegator="targets")
            del repository.targets.delegations.roles[above]  # type: ignore[union-attr]
        repository.delegate(DelegatedRole(name, [], 1, terminating, [path]), delegator=above)
    return [name for name in repository.payloads if name not in {"root", *EVERYTHING}]


@pytest.mark.parametrize(
    ("path", "found", "walked"),
    [
        ("file", True, ""),
        ("README.md", True, "a"),
        ("releases/x/x_v1", True, "b c"),
        ("releases/y/y_v1.zip", True, "b d"),
        ("releases/z/z_v1.zip", False, "b"),
    ],
)
async def test_a_delegated_target_is_found_where_the_paths_lead(
    client: Client, repository: TufRepository, path: str, found: bool, walked: str
) -> None:
    names = delegate_all(repository, "t>a:*.md t>b:releases/*/* b>c:releases/x/* b>d:releases/y/*.zip")
    targets = {"file": "targets", "README.md": "a", "releases/x/x_v1": "c"}
    targets |= {"releases/y/y_v1.zip": "d", "releases/z/z_v1.zip": "d"}
    for target, role in targets.items():
        repository.add_target(target, target.encode(), role)
    repository.publish(*names, *EVERYTHING)
    assert (await client.look(path) is not None) == found
    assert [role for role, _ in repository.asked[4:]] == walked.split()


@pytest.mark.parametrize("name", ["?", "#", "/inner", "../inner", "..", ".", "a b", "UPPER"])
async def test_a_role_with_an_odd_name_is_not_asked_for(
    client: Client, repository: TufRepository, name: str
) -> None:
    """Stricter than the suite, which wants it quoted: ours have plain names, and what is odd is refused unasked."""
    repository.delegate(DelegatedRole(name, [], 1, False, ["*"]))
    repository.publish(name, *EVERYTHING)
    assert await client.refused()
    assert [role for role, _ in repository.asked] == ["root", "timestamp", "snapshot", "targets"]
    assert sorted(path.name for path in client.folder.parent.iterdir()) == ["vendor"]


MANIFEST = (
    b'{"chunk_bytes":262144,"files":[{"chunks":[],"path":"a","sha256":'
    b'"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}],'
    b'"kind":"model","name":"encoder","requires":{"architectures":[],"memory_mb":0,"software":""},"version":"%d"}'
)


async def taken(client: Client, content: bytes, target: str) -> bool:
    found = await client.look(target)
    assert found is not None
    try:
        Trusted(target, found.hashes["sha256"], found.length).manifest(content)
    except TrustRefused:
        return False
    return True


async def test_content_is_taken_only_as_it_was_signed(client: Client, repository: TufRepository) -> None:
    signed, other = MANIFEST % 1, MANIFEST % 2
    repository.add_target("model/encoder/1", signed)
    repository.add_target("model/encoder/9", signed)
    repository.publish(*EVERYTHING)
    assert await taken(client, signed, "model/encoder/1")
    for content in (other, signed + b" ", signed[:-1], b""):
        assert not await taken(client, content, "model/encoder/1")
    # Signed, but under the name of another.
    assert not await taken(client, signed, "model/encoder/9")


async def test_content_that_changes_often_is_followed_and_nothing_else(
    client: Client, repository: TufRepository
) -> None:
    for number in range(1, 11):
        content = (MANIFEST % 1) if number % 2 else (MANIFEST % 1).replace(b'"a"', b'"b"')
        repository.add_target("model/encoder/1", content)
        repository.rotate("snapshot")
        repository.publish("root", *EVERYTHING)
        if number % 3 == 0:
            assert await taken(client, content, "model/encoder/1")
            assert not await taken(
                client, content.replace(b'"memory_mb":0', b'"memory_mb":1'), "model/encoder/1"
            )
