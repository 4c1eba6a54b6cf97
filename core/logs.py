"""Logs as JSON lines on standard error: one object an event, fields from `extra`, never a message built from data."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _JsonLines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "event": record.getMessage(),
        }
        event.update({name: value for name, value in record.__dict__.items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[0]:
            # The type only: messages and locals of an exception may hold what a customer wrote.
            event["error"] = record.exc_info[0].__name__
        return json.dumps(event, ensure_ascii=False, default=str)


def log_to_stderr(process: str, level: int = logging.INFO) -> None:
    """Set up this process's logging; libraries speak from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(process))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("core", "edge", "cloud_sync", "models"):
        logging.getLogger(name).setLevel(level)
