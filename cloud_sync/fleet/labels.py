"""Labels of nodes: the codes by which rollouts choose them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from core.errors import ConfigError, ExitCode

# As many as a page shows in a line or two.
LABELS_MAX: Final = 16
_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_VALUE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class InvalidLabels(ConfigError):
    """A label is no code, or there are too many."""

    code = "invalid_labels"
    title = "The labels cannot be used"
    remedy = (
        "Write key=value, of a to z, 0 to 9, dot, dash and underline; key= takes a label away. "
        f"A node has {LABELS_MAX} at most."
    )
    status = 400
    exit_code = ExitCode.USAGE


def labelled(labels: Mapping[str, str], changes: Sequence[str]) -> dict[str, str]:
    """The labels after `changes`, each "key=value" or "key=" to take one away. Raises InvalidLabels."""
    found = dict(labels)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not _KEY.fullmatch(key) or not (_VALUE.fullmatch(value) or not value):
            raise InvalidLabels(f"“{change[:100]}” is no label.")
        if value:
            found[key] = value
        else:
            found.pop(key, None)
    if len(found) > LABELS_MAX:
        raise InvalidLabels(f"There would be {len(found)}.")
    return dict(sorted(found.items()))
