"""What root's meter takes for a change of the rules, of what nft lists."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.egress.reconciliation import meter

USERS = {"node": 1, "worker": 2, "courier": 3}


def listing() -> list[dict[str, Any]]:
    """Postern's own rules, and a site's: a set that is filled by a rule, a quota, an element with a counter."""
    own: list[dict[str, Any]] = [
        {"chain": {"name": "out", "hook": "output"}},
        *(
            {
                "rule": {
                    "chain": "out",
                    "expr": [
                        {"match": {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": uid}},
                        {"goto": {"target": user}},
                    ],
                }
            }
            for user, uid in USERS.items()
        ),
    ]
    site: list[dict[str, Any]] = [
        {
            "set": {
                "name": "seen",
                "flags": ["dynamic"],
                "elem": [{"elem": {"val": "10.0.0.1", "expires": 59}}],
            }
        },
        {"set": {"name": "seen6", "flags": "timeout", "elem": ["fd00::1"]}},
        {"set": {"name": "lan", "elem": [{"elem": {"val": 7, "timeout": 60, "expires": 59}}, "10.0.0.2"]}},
        {"set": {"name": "desk", "elem": [{"elem": {"val": 1, "counter": {"packets": 1, "bytes": 2}}}]}},
        {"rule": {"chain": "site", "expr": [{"quota": {"val": 9, "used": 1}}, {"last": None}]}},
    ]
    return own + site


@pytest.fixture
def in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[dict[str, Any]]], None]:
    """Lets nft list these."""
    listed = tmp_path / "listed.json"
    monkeypatch.setattr(meter, "NFT", ("cat", str(listed)))

    def list_(rules: list[dict[str, Any]]) -> None:
        listed.write_text(json.dumps({"nftables": rules}))

    return list_


def _loaded(tmp_path: Path) -> Path:
    loaded = tmp_path / "loaded.json"
    loaded.write_text(json.dumps({"nftables": listing()}))
    return loaded


def _runs(rules: list[dict[str, Any]]) -> None:
    """What happens by itself."""
    rules[4]["set"]["elem"] = [{"elem": {"val": "10.0.0.9", "expires": 9}}]
    del rules[5]["set"]["elem"]
    rules[6]["set"]["elem"] = ["10.0.0.2", {"elem": {"val": 7, "timeout": 60, "expires": 1}}]
    rules[7]["set"]["elem"][0]["elem"]["counter"] = {"packets": 30, "bytes": 900}
    rules[8]["rule"]["expr"] = [{"quota": {"val": 9, "used": 8}}, {"last": {"used": 5}}]


def _wider(rules: list[dict[str, Any]]) -> None:
    rules[6]["set"]["elem"].append("10.0.0.3")


def _larger(rules: list[dict[str, Any]]) -> None:
    rules[8]["rule"]["expr"][0]["quota"]["val"] = 99


def _gone(rules: list[dict[str, Any]]) -> None:
    del rules[8]


@pytest.mark.parametrize(
    ("change", "same"), [(_runs, True), (_wider, False), (_larger, False), (_gone, False)]
)
def test_what_changes_by_itself_is_no_change_of_the_rules(
    tmp_path: Path,
    in_force: Callable[[list[dict[str, Any]]], None],
    change: Callable[[list[dict[str, Any]]], None],
    same: bool,
) -> None:
    rules = copy.deepcopy(listing())
    change(rules)
    in_force(rules)
    assert (meter.look(_loaded(tmp_path)) is not None) is same


@pytest.mark.parametrize("in_time", [True, False])
def test_rules_that_are_just_being_loaded_are_looked_at_once_more(
    tmp_path: Path, in_force: Callable[[list[dict[str, Any]]], None], in_time: bool
) -> None:
    path, rules = tmp_path / "egress.json", listing()
    _wider(rules)
    in_force(rules)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if in_time:
            in_force(listing())

    assert meter.turn(path, True, _loaded(tmp_path), pause=pause) is in_time
    assert path.exists() is in_time
    assert pauses == [meter.AGAIN_S]
    in_force(rules)
    assert not meter.turn(path, False, _loaded(tmp_path), pause=pause)
    assert len(pauses) == 1, "rules that were not in force are not waited for"
