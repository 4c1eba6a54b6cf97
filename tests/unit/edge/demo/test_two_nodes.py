"""A demo that misbehaves is two nodes that name each other, share a key, and may let the control plane help."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from edge.config import load_config, site_paths
from edge.demo import two_nodes
from edge.keys import siblings
from edge.privacy import policy_files
from edge.privacy.policy import Risk
from edge.site_setup import TEMPLATES, create_site


def test_both_name_each_other_and_share_a_key_however_often(tmp_path: Path) -> None:
    node, sibling = site_paths(tmp_path / "site"), site_paths(tmp_path / "sibling")
    create_site(node, "clinic", http_port=4001)
    create_site(sibling, "clinic", http_port=4002)
    two_nodes.pair(node, sibling)
    key = siblings.read(node.keys / siblings.NAME)
    two_nodes.pair(node, sibling)

    one, other = load_config(node), load_config(sibling)
    assert (one.siblings.urls, other.siblings.urls) == (
        ("http://127.0.0.1:4002",),
        ("http://127.0.0.1:4001",),
    )
    assert siblings.read(node.keys / siblings.NAME) == siblings.read(sibling.keys / siblings.NAME) == key
    assert (one.answer.mode, other.answer.mode) == ("generative", "generative")
    assert (one.mqtt.broker, other.mqtt.broker) == ("embedded", "off")


def test_its_policy_permits_overflow_and_no_more(tmp_path: Path) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "clinic")
    before = policy_files.load(paths, datetime.now(UTC)).policy
    two_nodes.permit_overflow(paths, TEMPLATES / "policies" / "clinic.toml")
    after = policy_files.load(paths, datetime.now(UTC)).policy
    assert before.overflow is not None
    assert after.overflow is not None
    assert (before.overflow.risk, after.overflow.risk) == (Risk.MODERATE, Risk.HIGH)
    assert after.overflow.special == before.overflow.special
    assert after.overflow.consent
    assert after.lan_llm == before.lan_llm
