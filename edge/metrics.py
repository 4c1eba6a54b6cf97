"""The node's metrics. Their names are part of the contract; docs/operations.md explains each.

Labels are drawn from closed lists of the code, never from customers.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram

from models.detect.spans import Span

# A turn is to be answered in well under a second; generated answers take seconds.
_TURN_BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STAGE_BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
_BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64)

turns = Counter("postern_turns_total", "Turns answered, by route", ["route"])
ladder = Counter("postern_ladder_total", "Questions, by the step of service that they got", ["step"])
outbox_appended_bytes = Counter(
    "postern_outbox_appended_bytes_total", "Bytes of rows that were written for the control plane"
)
unrecorded = Counter(
    "postern_unrecorded_total", "What went on while the store could record nothing", ["what"]
)
turn_seconds = Histogram("postern_turn_seconds", "Time from question to final answer", buckets=_TURN_BOUNDS_S)
stage_seconds = Histogram(
    "postern_stage_seconds", "Time in each stage of a turn", ["stage"], buckets=_STAGE_BOUNDS_S
)
queue_depth = Gauge("postern_queue_depth", "Requests that wait", ["queue"])
batch_rows = Histogram("postern_batch_rows", "Rows of a batch of the encoder", buckets=_BATCH_BOUNDS)
clients_gone = Counter("postern_clients_gone_total", "Requests that were ended because their client had gone")
predicted_wait_seconds = Gauge("postern_predicted_wait_seconds", "Predicted wait of a question asked now")
fallback_active = Gauge(
    "postern_fallback_active", "1 while weaker or slower than asked", ["component", "reason"]
)
pii_entities = Counter("postern_pii_entities_total", "Personal values recognised, by type", ["type"])
grounding = Counter("postern_grounding_total", "Answers that a language model began, by outcome", ["outcome"])
answers = Counter(
    "postern_answers_total", "Answers asked of a language model, by how that ended", ["provider", "outcome"]
)
overflow = Counter(
    "postern_overflow_total", "Answers asked of the control plane's language model", ["reason", "outcome"]
)
notifications = Counter(
    "postern_notifications_total", "Attempts to tell staff of a ticket", ["channel", "outcome"]
)
notification_bytes = Counter(
    "postern_notification_bytes_total", "Bytes sent to servers of the site's own network", ["channel"]
)
continuations = Counter(
    "postern_continuations_total", "Tokens by which conversations go on at another node", ["outcome"]
)
break_glass_logins = Counter("postern_break_glass_logins_total", "Logins with the break-glass account")
model_info = Gauge(
    "postern_model_info", "1 for each model in service", ["model", "version", "runtime", "device"]
)


purged_rows = Counter("postern_purged_rows_total", "Rows purged by age, by table", ["table"])


def count_entities(spans: Iterable[Span]) -> None:
    """Count what was recognised."""
    for span in spans:
        pii_entities.labels(span.type).inc()


def overflow_outcomes() -> dict[str, int]:
    """Answers asked of the control plane since the start, by how that ended, whatever the reason."""
    found: Counts[str] = Counts()
    for family in overflow.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                found[sample.labels["outcome"]] += int(sample.value)
    return dict(found)


_fallbacks: dict[str, str] = {}
_watched: dict[str, Callable[[], str]] = {}


def fall_back(component: str, reason: str) -> None:
    """Say that `component` runs weaker or slower than asked, and why; both are short codes of the program's own."""
    recover(component)
    _fallbacks[component] = reason
    fallback_active.labels(component, reason).set(1)


def recover(component: str) -> None:
    """`component` runs as asked again."""
    if component in _fallbacks:
        fallback_active.labels(component, _fallbacks.pop(component)).set(0)


def watch(component: str, reason: Callable[[], str]) -> None:
    """`component` knows by itself why it runs weaker than asked (empty: it does not): it is asked at every look."""
    _watched[component] = reason


def fallbacks() -> tuple[str, ...]:
    """What runs weaker than asked now, as "component:reason"; for `status`, the fleet page and the gauge."""
    for component, reason_of in _watched.items():
        if reason := reason_of():
            fall_back(component, reason)
        else:
            recover(component)
    return tuple(f"{component}:{reason}" for component, reason in sorted(_fallbacks.items()))
