"""Figures of overflow, for /metrics, in the control plane's registry. Nothing here names a node or a site."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from cloud_sync.store.overflow import MICROS, Spending
from core.breaker import BreakerState

# First words of a local server take a tenth of a second, those of a small model on two cores a few seconds.
FIRST_TEXT_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class OverflowMetrics:
    """Of one control plane."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "postern_cloud_overflow_answers_total", "Answers asked of providers", ["provider", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._tokens = Counter(
            "postern_cloud_overflow_tokens_total", "Tokens of them", ["provider", "kind"], registry=registry
        )
        self._cost = Counter(
            "postern_cloud_overflow_cost_total", "What they cost, in overflow.currency", ["provider"],
            registry=registry,
        )  # fmt: skip
        self._first_text = Histogram(
            "postern_cloud_overflow_first_text_seconds", "From asking a provider to its first words",
            ["provider"], registry=registry, buckets=FIRST_TEXT_BUCKETS_S,
        )  # fmt: skip
        self.denied = Counter(
            "postern_cloud_overflow_denied_total", "Nodes' requests without a whole answer", ["code"],
            registry=registry,
        )  # fmt: skip
        self._running = Gauge(
            "postern_cloud_overflow_running", "Answers that are being written", registry=registry
        )
        self._waiting = Gauge(
            "postern_cloud_overflow_waiting", "Requests that wait for a place", registry=registry
        )
        self._breaker = Gauge(
            "postern_cloud_overflow_provider_state", "1 for the state that a provider is in",
            ["provider", "state"], registry=registry,
        )  # fmt: skip
        self._unscanned = Gauge(
            "postern_cloud_overflow_unscanned", "1 while what nodes send cannot be scanned", registry=registry
        )

    def watch(
        self, running: Callable[[], int], waiting: Callable[[], int], scans: Callable[[], bool]
    ) -> None:
        """Let the gauges look."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)
        self._unscanned.set_function(lambda: 0 if scans() else 1)

    def watch_provider(self, provider: str, state: Callable[[], BreakerState]) -> None:
        """Let the gauges look at whether a provider is asked."""
        for one in BreakerState:
            self._breaker.labels(provider, one.value).set_function(partial(_is, one, state))

    def first_text(self, provider: str, seconds: float) -> None:
        """A provider's first words came."""
        self._first_text.labels(provider).observe(seconds)

    def answered(self, provider: str, outcome: str, spending: Spending) -> None:
        """A provider was asked; `outcome`: whole, left (the node went), or an error's code."""
        self._answers.labels(provider, outcome).inc()
        self._tokens.labels(provider, "prompt").inc(spending.prompt_tokens)
        self._tokens.labels(provider, "new").inc(spending.new_tokens)
        self._cost.labels(provider).inc(spending.cost_micros / MICROS)


def _is(one: BreakerState, state: Callable[[], BreakerState]) -> int:
    return int(state() is one)
