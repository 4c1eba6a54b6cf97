"""Who gets a version in which wave, who does not and why, and what makes it risky. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloud_sync.fleet.composing import UPDATES_MAX
from cloud_sync.fleet.rollouts.spec import Spec, selected

# A first wave larger than this is no canary, a step larger than that no step. One node is always allowed.
CANARY_PERCENT_MAX = 20
STEP_PERCENT_MAX = 50


@dataclass(frozen=True)
class Candidate:
    """A node, as far as a plan depends on it."""

    id: str
    site: str
    name: str
    group: str
    labels: Mapping[str, str]
    active: bool
    live: bool
    # What was assigned of this kind and name, else what the node says it runs; "" for nothing known.
    runs: str
    assigned: str
    assignments: int
    # The rollout of the same kind and name that holds it now; "" for none.
    held_by: str = ""


@dataclass(frozen=True)
class Change:
    """What a rollout would do to one node."""

    node_id: str
    site: str
    name: str
    group: str
    live: bool
    wave: int
    before: str
    after: str


@dataclass(frozen=True)
class Left:
    """A node that the target names and that is left as it is."""

    node_id: str
    name: str
    reason: str
    text: str


@dataclass(frozen=True)
class Risk:
    """Why a second person must agree."""

    code: str
    text: str


@dataclass(frozen=True)
class Plan:
    """A dry run."""

    changes: tuple[Change, ...]
    left: tuple[Left, ...]
    # Nodes of each wave.
    sizes: tuple[int, ...]
    risks: tuple[Risk, ...]


def make_plan(spec: Spec, seed: str, fleet: Sequence[Candidate]) -> Plan:
    """Divide the nodes that `spec` names into waves; the same seed divides them the same way."""
    named = [node for node in fleet if _named(spec, node)]
    left = [found for node in named if (found := _left(spec, node)) is not None]
    kept_out = {one.node_id for one in left}
    nodes = in_order([node for node in named if node.id not in kept_out], seed)
    sizes = wave_sizes(len(nodes), spec.waves)
    waves = [wave for wave, size in enumerate(sizes) for _ in range(size)]
    changes = tuple(_change(spec, node, wave) for node, wave in zip(nodes, waves, strict=True))
    active = sum(node.active for node in fleet)
    return Plan(changes, tuple(left), sizes, risks_of(spec, sizes, active))


def wave_sizes(nodes: int, shares: Sequence[int]) -> tuple[int, ...]:
    """How many nodes each wave has, of shares in percent that include those before; waves of none are left out."""
    ends = [-(-nodes * share // 100) for share in shares]
    sizes = (end - start for start, end in zip([0, *ends], ends, strict=False))
    return tuple(size for size in sizes if size)


def in_order(nodes: Iterable[Candidate], seed: str) -> list[Candidate]:
    """Nodes that answer now first, groups in turn, else by chance.

    A canary of nodes that are switched off, or all of one kind, would show nothing.
    """

    def chance(text: str) -> bytes:
        return hashlib.sha256(f"{seed}/{text}".encode()).digest()

    groups: dict[tuple[bool, str], list[Candidate]] = defaultdict(list)
    for node in sorted(nodes, key=lambda node: chance(node.id)):
        groups[not node.live, node.group].append(node)
    turns = [
        (key[0], turn, chance(key[1]), node)
        for key, members in groups.items()
        for turn, node in enumerate(members)
    ]
    return [node for *_, node in sorted(turns, key=lambda one: one[:3])]


def risks_of(spec: Spec, sizes: Sequence[int], fleet: int) -> tuple[Risk, ...]:
    """Why a second person must agree; empty when nobody need."""
    risks = []
    if spec.kind == "software":
        risks.append(Risk("software", "It replaces the nodes' software."))
    if spec.kind == "policy":
        risks.append(Risk("policy", "It changes what may leave the sites."))
    if sizes and sizes[0] > max(1, sum(sizes) * CANARY_PERCENT_MAX // 100):
        risks.append(
            Risk(
                "no_canary", f"The first wave is more than {CANARY_PERCENT_MAX} % of the nodes that it names."
            )
        )
    if sizes and max(sizes) > max(1, fleet * STEP_PERCENT_MAX // 100):
        risks.append(Risk("broad", f"A wave is more than {STEP_PERCENT_MAX} % of the fleet."))
    return tuple(risks)


def _named(spec: Spec, node: Candidate) -> bool:
    return (not spec.groups or node.group in spec.groups) and selected(spec.labels, node.labels)


def _left(spec: Spec, node: Candidate) -> Left | None:
    reason, text = "", ""
    if not node.active:
        reason, text = "revoked", "It is revoked."
    elif node.held_by:
        reason, text = "held", f"The rollout {node.held_by} of the same name holds it."
    elif node.assigned == spec.version:
        reason, text = "current", f"It is to run {spec.version} already."
    elif not node.assigned and node.assignments >= UPDATES_MAX:
        reason, text = "full", f"It is to run {node.assignments} other things; no more fit."
    return Left(node.id, node.name, reason, text) if reason else None


def _change(spec: Spec, node: Candidate, wave: int) -> Change:
    return Change(
        node.id, node.site, node.name, node.group, node.live, wave, before=node.runs, after=spec.version
    )
