"""The trained tagger: personal values without a form (names, addresses, what is spoken) in the encoder's states.

A small network beside the frozen encoder says of each token which type of value it belongs to, or none;
`models.detect.decoding` makes spans of that. Ships as
models/adapters/tagger.onnx with its labels inside; models/cards/tagger.md has its figures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.catalog import DEFAULT_ENCODER
from models.detect.decoding import Labels
from models.detect.shape import features_of_batch
from models.detect.tagger import Tagged
from models.errors import ModelRefused, TaggerFailed
from models.runtimes.port import Floats, Ids, Layers

Offsets = Sequence[tuple[int, int]]

TAGGED_ENCODER: Final = DEFAULT_ENCODER
"""Whose layers the shipped tagger reads."""

SHIPPED: Final = "tagger.onnx"
METADATA: Final = "postern.tagger"
# A session of its own thread: passes already run side by side by the core.
THREADS: Final = 1


class TagNetwork:
    """The network, for the states of one encoder. Thread-safe."""

    def __init__(self, content: bytes) -> None:
        """Raises ModelRefused: not a tagger that this release can read."""
        # At first use: whoever only embeds, on another runtime, never loads this one.
        import onnxruntime as ort

        from models.runtimes.onnx_runtime import session_options

        try:
            self._session = ort.InferenceSession(content, session_options(THREADS))
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[METADATA])
            self.labels = Labels(tuple(about["labels"]), about["caution"], about["temperature"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise ModelRefused(
                f"The tagger's file does not fit this release ({type(error).__name__})."
            ) from error
        self._reads = {
            name: int(name.removeprefix("layer")) - 1
            for name in (found.name for found in self._session.get_inputs())
            if name.startswith("layer")
        }

    def tag(self, rows: Sequence[tuple[str, Offsets]], layers: Layers, mask: Ids) -> list[Tagged]:
        """Of a pass of the encoder, each row a text and its tokens' places. Raises TaggerFailed."""
        places = [np.array(offsets, np.int32) for _, offsets in rows]
        seen = features_of_batch([text for text, _ in rows], places, mask.shape[1])
        feed: dict[str, Any] = {name: layers[layer] for name, layer in self._reads.items()}
        try:
            scores: Floats = self._session.run(None, feed | {"features": seen, "attention_mask": mask})[0]
        except Exception as error:
            # Its own words may quote the batch.
            raise TaggerFailed(f"The tagger failed on this batch ({type(error).__name__}).") from None
        if not np.isfinite(scores).all():
            raise TaggerFailed("The tagger answered with numbers that are none.")
        return [_without_specials(place, scores[row, : len(place)]) for row, place in enumerate(places)]


@cache
def shipped() -> TagNetwork:
    """The one of this release, opened once. Raises ModelRefused."""
    return TagNetwork(files("models.adapters").joinpath(SHIPPED).read_bytes())


def _without_specials(offsets: npt.NDArray[np.int32], scores: Floats) -> Tagged:
    real = offsets[:, 1] > offsets[:, 0]
    return Tagged(offsets[real], scores[real])
