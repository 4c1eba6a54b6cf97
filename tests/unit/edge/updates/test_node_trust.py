"""What becomes of the trust's word: a manifest, a refusal that lasts, or one that passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from core.errors import PosternError
from edge.egress.fetch.client import FetchFailed
from edge.updates.installer import InstallRefused
from edge.updates.node_trust import NodeTrust
from edge.updates.trust import Trust, Trusted
from tests.tuf_repository import EVERYTHING, Served, TufRepository
from tests.unit.edge.updates.packages import manifest_of
from tests.unit.edge.updates.updater_rig import update

MANIFEST = manifest_of({"a": b"words"}, version="2.0")
CONTENT = MANIFEST.content()
DIGEST = sha256(CONTENT).hexdigest()


def error_of(code: str) -> PosternError:
    error = PosternError("as told")
    error.code = code
    return error


@dataclass
class Word:
    """Trust and source in one."""

    found: Trusted | Exception
    content: bytes = CONTENT
    asked: str = ""

    async def look_up(self, target: str, node_id: str) -> Trusted:
        self.asked = f"{target} {node_id}"
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        for start in range(0, len(self.content), 100):
            yield 0, self.content[start : start + 100]


TRUSTED = Trusted(MANIFEST.target, DIGEST, len(CONTENT))


async def test_the_manifest_that_was_signed_for_this_node() -> None:
    word = Word(TRUSTED)
    assert await NodeTrust(lambda: word, word, lambda: "node-1").manifest(update()) == MANIFEST
    assert word.asked == "model/org-minilm/2.0 node-1"


@pytest.mark.parametrize(
    ("word", "reason", "passing"),
    [
        (Word(error_of("trust_refused")), "trust_refused", True),
        (Word(error_of("invalid_artifact")), "invalid_artifact", False),
        (Word(error_of("trust_expired")), "trust_expired", True),
        (Word(error_of("trust_missing")), "trust_missing", True),
        (Word(TRUSTED, CONTENT[:-1]), "trust_refused", True),
        (Word(TRUSTED, CONTENT[:-1] + b"!"), "trust_refused", True),
    ],
)
async def test_refused(word: Word, reason: str, *, passing: bool) -> None:
    with pytest.raises(InstallRefused) as caught:
        await NodeTrust(lambda: word, word, lambda: "node-1").manifest(update())
    assert (caught.value.reason, caught.value.passing) == (reason, passing)


async def test_endless_data_is_cut_off_and_a_line_that_broke_is_no_refusal() -> None:
    for word in (Word(TRUSTED, CONTENT + b"!" * 10_000), Word(FetchFailed("size"))):
        with pytest.raises(FetchFailed):
            await NodeTrust(lambda: word, word, lambda: "node-1").manifest(update())  # noqa: B023


async def test_what_is_older_than_what_was_seen_is_refused_until_it_is_signed_anew(tmp_path: Path) -> None:
    """As after a restore of the control plane, whose packages are listed as they were at its backup."""
    vendor, director = TufRepository(), TufRepository()
    vendor.add_target(MANIFEST.target, CONTENT)
    director.add_target(MANIFEST.target, CONTENT, node="node-1")
    for each in (vendor, director):
        each.publish(*EVERYTHING)
    served, word = Served({"vendor": vendor, "director": director}), Word(TRUSTED)
    for name, each in served.repositories.items():
        (tmp_path / f"{name}-root.json").write_bytes(each.published["root"][1])
    trust = NodeTrust(lambda: Trust(tmp_path, served), word, lambda: "node-1")
    backup = vendor.copy()
    vendor.publish(*EVERYTHING)
    assert await trust.manifest(update()) == MANIFEST
    served.repositories["vendor"] = backup
    for _ in range(2):
        with pytest.raises(InstallRefused) as caught:
            await trust.manifest(update())
        assert (caught.value.reason, caught.value.passing) == ("trust_refused", True)
    for _ in range(2):  # past what was seen
        backup.publish(*EVERYTHING)
    assert await trust.manifest(update()) == MANIFEST
