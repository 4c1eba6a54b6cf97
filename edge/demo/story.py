"""What goes wrong in `postern demo --chaos`, in which order, and what a visitor should look at meanwhile. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.demo.customers import Tally

CALM_PER_S: Final = 0.5
"""Questions a second that two cores answer in a model's words without help."""

SPIKE: Final = 10
"""Times the calm rate, as in the bench `spike`."""


@dataclass(frozen=True)
class Scene:
    """A while of the demo. `down`: programs that are killed at its beginning and started again at its end."""

    name: str
    seconds: float
    rate: float
    says: str
    down: tuple[str, ...] = ()


STORY: Final = (
    Scene("calm", 20, CALM_PER_S, "A quiet morning. Open the kiosk page and ask something now and then."),
    Scene(
        "spike",
        40,
        SPIKE * CALM_PER_S,
        "Ten times as many customers. What this machine cannot put into words in time is quoted, word for word; "
        "the control plane may help only where a detector misses less than the one that ships.",
    ),
    Scene(
        "no cloud",
        30,
        SPIKE * CALM_PER_S,
        "The control plane is dead, the customers are still here. Nobody waits for it: the documents' own words.",
        ("cloud",),
    ),
    Scene(
        "no node",
        30,
        CALM_PER_S,
        "The node is dead. Its conversations go on at its sibling; watch the kiosk page do so.",
        ("node",),
    ),
    Scene("calm again", 20, CALM_PER_S, "Everything is back."),
)


def line(scene: Scene, tally: Tally) -> str:
    """How a scene went, as one line."""
    routes = ", ".join(f"{count} {route}" for route, count in tally.answered.most_common())
    moved = f", {tally.moved} went on at the sibling" if tally.moved else ""
    return (
        f"{scene.name:<11} {tally.asked:>4} asked: {routes or 'none answered'}; {tally.refused} told to come back, "
        f"{tally.lost} lost{moved}; first words p95 {tally.p95_s:.2f} s"
    )
