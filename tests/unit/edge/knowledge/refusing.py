"""What is asked of every refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.knowledge.readers import Refusal, UnreadableDocument


def refused(read: Callable[[], object]) -> Refusal:
    with pytest.raises(UnreadableDocument) as caught:
        read()
    assert caught.value.detail
    assert caught.value.remedy
    return caught.value.refusal
