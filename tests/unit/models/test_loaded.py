"""Passes of a tagger that is broken: who asked has its vectors, it is said once; what will not mend is not tried."""

from __future__ import annotations

from typing import Any, cast

import pytest

from models import loaded
from models.detect.network import TAGGED_ENCODER
from models.errors import LayersMissing, ModelError, ModelRefused, TaggerFailed
from models.loaded import Loaded, one_pass
from models.passes import Row, pad
from models.runtimes.port import Floats, Ids, Layers
from models.runtimes.scripted import ScriptedRuntime


class Layered(ScriptedRuntime):
    """Counts who asks for its layers, and has none where a test says so."""

    error: ModelError | None = None
    asked = 0

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        self.asked += 1
        if self.error:
            raise self.error
        return super().run_layers(input_ids, attention_mask)


class Network:
    def tag(self, rows: list[Any], layers: Layers, mask: Ids) -> list[Any]:
        return [None for _ in rows]


ROW = Row([1, 2, 3], [(0, 0), (0, 3), (0, 0)], 3)


def passed(model: Loaded) -> Any:
    ids, mask = pad([ROW])
    vectors, _, tags = one_pass(model, ["one"], [ROW], [0], ids, mask, want_states=False, want_tags=True)
    assert vectors.shape[0] == 1
    return tags


@pytest.mark.parametrize(
    ("error", "tried"),
    [(LayersMissing(), 1), (ModelRefused(), 1), (TaggerFailed(), 3)],
    ids=lambda one: str(one),
)
def test_a_broken_tagger_is_told_once_and_not_tried_where_it_will_not_mend(
    error: ModelError, tried: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loaded, "shipped", Network)
    info = type("Info", (), {"model": TAGGED_ENCODER})
    runtime = Layered()
    model = Loaded(cast(Any, None), runtime, cast(Any, None), 64, cast(Any, None), cast(Any, info))
    runtime.error = error
    assert [passed(model) for _ in range(3)] == [None] * 3
    assert (runtime.asked, len(caplog.records), model.tags) == (tried, 1, True)
    runtime.error = None
    assert passed(model) == (None if tried == 1 else [None])
    runtime.error = error
    passed(model)
    assert len(caplog.records) == (1 if tried == 1 else 2)  # it had worked in between
