"""The control plane's own figures, for /metrics. Nothing here names a node or a site."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class FleetMetrics:
    """One registry a process, so that tests can run several control planes side by side."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.streams = Gauge("postern_cloud_streams", "Open node streams", registry=self.registry)
        self.nodes = Gauge("postern_cloud_nodes", "Nodes by state", ["state"], registry=self.registry)
        self.rollouts = Gauge(
            "postern_cloud_rollouts", "Rollouts by state", ["state"], registry=self.registry
        )
        self.rows = Counter("postern_cloud_rows_total", "Outbox rows committed", registry=self.registry)
        self.refused = Counter(
            "postern_cloud_refused_total", "Streams and batches refused", ["reason"], registry=self.registry
        )
        self.enrolments = Counter(
            "postern_cloud_enrolments_total", "Attempts to enrol", ["outcome"], registry=self.registry
        )
        self.renewals = Counter(
            "postern_cloud_renewals_total", "Certificates asked for anew", ["outcome"], registry=self.registry
        )
        self.commit_seconds = Histogram(
            "postern_cloud_commit_seconds", "Time to commit one outbox batch", registry=self.registry
        )
        self.artifact_bytes = Counter(
            "postern_cloud_artifact_bytes_total", "Bytes of packages sent to nodes", registry=self.registry
        )

        self.alerts = Gauge(
            "postern_cloud_alerts", "Alerts that nobody looks after", ["kind"], registry=self.registry
        )
        self.webhooks = Counter(
            "postern_cloud_webhooks_total", "Messages to webhooks", ["outcome"], registry=self.registry
        )
        self.webhooks_waiting = Gauge(
            "postern_cloud_webhooks_waiting", "Messages that wait to be told", registry=self.registry
        )

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
