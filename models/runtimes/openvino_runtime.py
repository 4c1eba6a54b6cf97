"""OpenVINO behind the `Runtime` port: CPU, GPU or NPU by name, never AUTO (which leaves the NPU out and tells nobody).

On the CPU and the GPU lengths are padded to buckets, so that few shapes are ever seen; on the NPU, or where asked, each
bucket is a compiled model of its own. Compiled once, then from a cache beside the model.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov

from models.errors import DeviceMissing, RuntimeUnavailable
from models.runtimes.buckets import Bucket, Buckets, in_buckets
from models.runtimes.port import STATES, Floats, Ids, Layers, check_batch, layer_names

CACHE: Final = "openvino-cache"

QUANTISED_GROUP: Final = "128"
"""Activations that share one int8 scale. Texts/s on two VNNI cores, cosine to fp32: off 136, .9997; 32 → 181, .9995;
128 → 241, .9991; 384 → 231, .9981. ONNX Runtime's form of the file: 75, .9941."""

SHAPES_KEPT: Final = 64
"""Prepared operations that the CPU plugin keeps, of every shape of theirs. By default 5,000, and what they hold."""

_NO_BUCKET: Final = Bucket(0, 0)


class OpenVinoRuntime:
    """A compiled model, or one a bucket; an inference request a thread."""

    name = "openvino"
    shortfall = None

    def __init__(
        self, path: Path, *, threads: int, device: str = "CPU", precision: str = "f32", buckets: Buckets
    ) -> None:
        """Compile `path` for every bucket of fixed shape. Raises RuntimeUnavailable, DeviceMissing among it."""
        self.device = device
        self._buckets = buckets
        self._own = threading.local()
        core = ov.Core()
        _check_listed(core, device)
        try:
            self._models = _compile(core, path, device, _settings(path, threads, device, precision), buckets)
        except Exception as error:
            raise RuntimeUnavailable(
                f"OpenVINO cannot compile {path.name} for {device} ({type(error).__name__})."
            ) from error

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable."""
        check_batch(input_ids, attention_mask)
        run = partial(self._run, (STATES,) if want_states else (), self._models)
        return in_buckets(self._buckets, input_ids, attention_mask, run)

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """See `Runtime.run_layers`. Raises RuntimeUnavailable, LayersMissing among it."""
        check_batch(input_ids, attention_mask)
        models = self._models
        if not models:
            raise RuntimeUnavailable("The encoder is closed.")
        any_model = next(iter(models.values()))
        names = layer_names([name for output in any_model.outputs for name in output.names])
        run = partial(self._run, names, models)
        embedding, side_by_side = in_buckets(self._buckets, input_ids, attention_mask, run)
        assert side_by_side is not None
        return embedding, np.split(side_by_side, len(names), axis=-1)

    def close(self) -> None:
        """Free the compiled models."""
        self._models = {}
        self._own = threading.local()

    def _run(
        self, wanted: Sequence[str], models: dict[Bucket, Any], bucket: Bucket, ids: Ids, mask: Ids
    ) -> tuple[Floats, Floats | None]:
        key = bucket if self._buckets.rows else _NO_BUCKET
        if key not in models:
            raise RuntimeUnavailable("The encoder is closed.")
        requests: dict[Bucket, Any] = self._own.__dict__.setdefault("requests", {})
        if key not in requests:
            requests[key] = models[key].create_infer_request()
        request = requests[key]
        try:
            request.infer({"input_ids": ids, "attention_mask": mask})
            embedding: Floats = request.get_tensor("embedding").data.copy()
            states = [request.get_tensor(name).data for name in wanted]
            side_by_side: Floats | None = np.concatenate(states, axis=-1) if states else None  # a copy
        except Exception as error:
            raise RuntimeUnavailable(f"OpenVINO failed on this batch ({type(error).__name__}).") from error
        return embedding, side_by_side


def devices() -> tuple[str, ...]:
    """What OpenVINO can compile for here, `GPU.1` and the like shortened."""
    return tuple(dict.fromkeys(name.partition(".")[0] for name in ov.Core().available_devices))


def _check_listed(core: Any, device: str) -> None:
    listed = [name.partition(".")[0] for name in core.available_devices]
    if device not in listed:
        raise DeviceMissing(
            f"no_intel_{device.lower()}",
            f"OpenVINO finds no {device} here, only {', '.join(listed) or 'nothing'}.",
            remedy="Install the device's driver, or set models.device to auto.",
        )


def _compile(
    core: Any, path: Path, device: str, settings: dict[str, object], buckets: Buckets
) -> dict[Bucket, Any]:
    if not buckets.rows:
        return {_NO_BUCKET: core.compile_model(str(path), device, settings)}
    compiled = {}
    for bucket in buckets.all():
        model = core.read_model(str(path))
        shape = ov.PartialShape([bucket.rows, bucket.tokens])
        model.reshape({"input_ids": shape, "attention_mask": shape})
        compiled[bucket] = core.compile_model(model, device, settings)
    return compiled


def _settings(path: Path, threads: int, device: str, precision: str) -> dict[str, object]:
    settings: dict[str, object] = {
        # One stream over all threads: measured 1.8x a stream a core, for our one batch at a time.
        "PERFORMANCE_HINT": "LATENCY",
        "CACHE_DIR": str(path.parent / CACHE),
    }
    if device == "NPU":
        return settings  # computes in fp16 and int8, and takes no hint
    settings |= {"INFERENCE_PRECISION_HINT": precision, "DYNAMIC_QUANTIZATION_GROUP_SIZE": QUANTISED_GROUP}
    if device == "CPU":
        settings |= {"INFERENCE_NUM_THREADS": threads, "CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT}
    return settings
