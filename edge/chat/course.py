"""Whose model was asked for one answer, why the control plane's was, and how that ended: for the metrics."""

from __future__ import annotations

from typing import Final

from edge import metrics
from edge.chat.relay import Lost
from edge.chat.routing import Reason
from edge.inference.conversation import Provider

WHOLE: Final = "whole"
QUOTED: Final = "quoted"
"""A model wrote, and the documents' own words were shown: what it wrote was not borne out."""


class Course:
    """One answer's."""

    def __init__(self, reason: Reason | None) -> None:
        """`reason`: why the control plane's model is asked first; None where it is not."""
        self.writer: Provider | None = None
        """Who writes now; None before anyone has begun, and after a loss."""
        self._reason = reason
        self._begun = False

    def begun(self, provider: Provider) -> None:
        """Text of `provider` comes."""
        self.writer, self._begun = provider, True

    def lost(self, lost: Lost) -> None:
        """What was asked of somebody came to nothing."""
        self.writer = None
        self._count(lost.provider, lost.code)

    def ended(self, outcome: str) -> None:
        """`WHOLE` or `QUOTED`."""
        if self.writer is not None:
            self._count(self.writer, outcome)

    def _count(self, provider: Provider, outcome: str) -> None:
        metrics.answers.labels(provider, outcome).inc()
        if provider is Provider.CLOUD:
            metrics.overflow.labels(self._why(), outcome).inc()
        elif self._reason is None:  # whoever comes next stands in for this one
            self._reason = Reason.LOCAL_CUT if self._begun else Reason.LOCAL_FAILED

    def _why(self) -> Reason:
        return self._reason or Reason.LOCAL_FAILED
