"""The signed file: only what the site's key signed, exactly as it signed it, is a policy."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import PosternError
from edge.config import SitePaths
from edge.privacy import policy_files
from edge.privacy.policies import Policies, PolicyFile, PolicyLooser
from edge.privacy.policy import BadPolicy, Policy, parse
from edge.privacy.policy_files import PolicyKeyMissing, PolicyMissing, PolicyUnsigned
from edge.site_setup import policy_pack, policy_packs

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TEXT = '# ours\nformat = 1\nname = "Ours"\nvalid_until = 2027-01-01\n'


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    found = SitePaths(tmp_path)
    found.keys.mkdir()
    policy_files.make_key(found.keys)
    return found


def test_what_was_signed_is_read_again(paths: SitePaths) -> None:
    saved = policy_files.save(paths, TEXT, NOW)
    assert policy_files.load(paths, NOW) == saved
    assert saved.text == TEXT
    assert paths.policy.read_text().startswith(TEXT + "# signed 2026-11-29T12:00:00Z ")


def test_signing_a_signed_file_replaces_its_signature(paths: SitePaths) -> None:
    policy_files.save(paths, TEXT, NOW)
    again = policy_files.save(paths, paths.policy.read_text(), NOW + timedelta(days=1))
    assert again.text == TEXT
    assert paths.policy.read_text().count("# signed ") == 1


def _change(find: bytes, replace: bytes) -> Callable[[SitePaths], object]:
    return lambda paths: paths.policy.write_bytes(paths.policy.read_bytes().replace(find, replace))


@pytest.mark.proves("policy")
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda paths: paths.policy.unlink(), PolicyMissing),
        (lambda paths: (paths.policy.unlink(), paths.policy.mkdir()), PolicyMissing),
        (lambda paths: paths.policy.write_bytes(b""), PolicyUnsigned),
        (lambda paths: paths.policy.write_text(TEXT), PolicyUnsigned),
        (_change(b"Ours", b"Mine"), PolicyUnsigned),
        (_change(b"2026-11-29T12", b"2026-11-28T12"), PolicyUnsigned),
        (_change(b"2026-11-29", b"2026-99-29"), PolicyUnsigned),
        (_change(b"# ours", b"# \xff"), PolicyUnsigned),
        (_change(b"==\n", b"==\n\n"), PolicyUnsigned),
        (_change(b"\n# signed", b"\nextra = 1\n# signed"), PolicyUnsigned),
        (lambda paths: policy_files.make_key(paths.keys), PolicyUnsigned),
        (lambda paths: paths.policy.write_bytes(os.urandom(100_000)), PolicyUnsigned),
        (lambda paths: paths.policy_public_key.unlink(), PolicyKeyMissing),
        (lambda paths: paths.policy_public_key.write_bytes(b"short"), PolicyKeyMissing),
    ],
)
def test_anything_else_is_no_policy(
    paths: SitePaths, spoil: Callable[[SitePaths], object], error: type[PosternError]
) -> None:
    policy_files.save(paths, TEXT, NOW)
    file = PolicyFile(paths, lambda: NOW)
    assert file().name == "Ours"
    spoil(paths)
    with pytest.raises(error):
        policy_files.load(paths, NOW)
    with pytest.raises(error):  # one that was read before does not outlive its file
        file()


def test_a_file_that_is_mended_counts_again(paths: SitePaths) -> None:
    policy_files.save(paths, TEXT, NOW)
    file, whole = PolicyFile(paths, lambda: NOW), paths.policy.read_bytes()
    paths.policy.write_bytes(whole.replace(b"Ours", b"Mine"))
    with pytest.raises(PolicyUnsigned):
        file()
    paths.policy.write_bytes(whole)
    assert file().name == "Ours"


def test_a_policy_of_the_future_says_that_the_clock_is_wrong(paths: SitePaths) -> None:
    policy_files.save(paths, TEXT, NOW)
    assert policy_files.load(paths, NOW - policy_files.CLOCK_ERROR).text == TEXT
    with pytest.raises(PolicyUnsigned, match="future"):
        policy_files.load(paths, NOW - policy_files.CLOCK_ERROR - timedelta(seconds=1))


def test_what_is_no_policy_is_not_signed(paths: SitePaths) -> None:
    policy_files.save(paths, TEXT, NOW)
    with pytest.raises(BadPolicy):
        policy_files.save(paths, TEXT + "more = 1\n", NOW)
    assert policy_files.load(paths, NOW).text == TEXT


def test_without_the_signing_key_a_policy_holds_and_cannot_be_changed(paths: SitePaths) -> None:
    policy_files.save(paths, TEXT, NOW)
    paths.policy_key.unlink()
    assert not policy_files.can_sign(paths)
    assert policy_files.load(paths, NOW).text == TEXT
    with pytest.raises(PolicyKeyMissing):
        policy_files.save(paths, TEXT, NOW)


def test_a_signing_key_of_another_site_is_refused(paths: SitePaths, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    policy_files.make_key(tmp_path / "other")
    paths.policy_key.write_bytes((tmp_path / "other" / "policy.key").read_bytes())
    with pytest.raises(PolicyKeyMissing):
        policy_files.save(paths, TEXT, NOW)


@pytest.mark.parametrize("name", policy_packs())
def test_packs_can_be_signed_and_last_a_year(paths: SitePaths, name: str) -> None:
    made = policy_files.save(paths, policy_pack(name, NOW), NOW).policy
    assert made.valid_until == (NOW + timedelta(days=365)).date()
    assert made.overflow is None or made.overflow.special == "refuse"
    assert (made.overflow is None) == (name == "empty")


@pytest.mark.proves("policy")
def test_the_control_plane_may_tighten_only(paths: SitePaths) -> None:
    text = policy_pack("clinic", NOW)
    policy_files.save(paths, text, NOW)
    policies = Policies(PolicyFile(paths, lambda: NOW))
    tighter: Policy = parse(text.replace('internal = "redact"', 'internal = "refuse"'))
    policies.judge(tighter)
    policies.cloud = tighter
    assert policies.in_force() == (policies.in_force()[0], tighter)
    with pytest.raises(PolicyLooser):
        policies.judge(parse(text.replace('risk = "moderate"', 'risk = "high"')))
    paths.policy.unlink()
    with pytest.raises(PolicyMissing):
        policies.judge(tighter)
    with pytest.raises(PolicyMissing):
        policies.in_force()
