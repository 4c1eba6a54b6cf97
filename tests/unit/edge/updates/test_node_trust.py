"""What becomes of the trust's word: a manifest, a refusal that lasts, or one that passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pytest

from core.errors import PosternError
from edge.egress.fetch_client import FetchFailed
from edge.updates.installer import InstallRefused
from edge.updates.node_trust import NodeTrust
from edge.updates.trust import Trusted
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
        (Word(error_of("trust_refused")), "trust_refused", False),
        (Word(error_of("trust_expired")), "trust_expired", True),
        (Word(error_of("trust_missing")), "trust_missing", True),
        (Word(TRUSTED, CONTENT[:-1]), "trust_refused", False),
        (Word(TRUSTED, CONTENT[:-1] + b"!"), "trust_refused", False),
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
