"""ONNX Runtime behind the `Runtime` port, on exactly the device asked for: CPU, CUDA or TensorRT. It never falls back.

On the CPU a batch runs as it comes. On a GPU it runs in a shape bucket, through buffers that stay where they are on the
device (IOBinding); with graphs, the bucket's kernels were captured once and are launched as one. Not chosen here:
device, threads, file, buckets. All come from `models.placement`.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from models.errors import DeviceMissing, RuntimeUnavailable
from models.probe import check_device
from models.runtimes.buckets import Bucket, Buckets, in_buckets
from models.runtimes.port import Floats, Ids, Layers, check_batch, layer_names

ERRORS_ONLY: Final = 3
"""ONNX Runtime's own log level: warnings there are for its developers."""

WARMING_RUNS: Final = 2
"""The first run of a shape allocates, chooses kernels, and captures where graphs are on; the second is as all later."""

_BOTH: Final = ("embedding", "token_states")
_EMBEDDING: Final = ("embedding",)
_PROVIDERS: Final = {
    "CPU": "CPUExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "TENSORRT": "TensorrtExecutionProvider",
}


class OnnxRuntime:
    """One session. `run` may be called from any thread at once; with buckets, one call runs at a time."""

    name = "onnxruntime"
    shortfall = None

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        device: str = "CPU",
        buckets: Buckets | None = None,
        graphs: bool = False,
    ) -> None:
        """Load `path`; with `buckets`, warm each. Raises RuntimeUnavailable, DeviceMissing among it."""
        self.device = device
        check_device(device)
        self._session: ort.InferenceSession | None = _open(path, threads, device, graphs)
        if _PROVIDERS[device] not in self._session.get_providers():
            raise DeviceMissing(
                "provider_failed",
                f"ONNX Runtime's provider for {device} is there and does not start.",
                remedy="Look at the node's log for its message; the driver may be older than the libraries.",
            )
        self._buckets = buckets
        self._one_at_a_time = threading.Lock()
        self._bound: dict[Bucket, _Bound] = {}
        if buckets is not None:
            self._warm(buckets, graphs)

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable."""
        session = self._session
        if session is None:
            raise RuntimeUnavailable("The encoder is closed.")
        check_batch(input_ids, attention_mask)
        if self._buckets is not None:
            run = partial(self._run_bound, session, want_states)
            return in_buckets(self._buckets, input_ids, attention_mask, run)
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        try:
            found: list[Any] = session.run(_BOTH if want_states else _EMBEDDING, feed)
        except Exception as error:
            raise _failed(error) from error
        return found[0], found[1] if want_states else None

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """See `Runtime.run_layers`; in no bucket. Raises RuntimeUnavailable, LayersMissing among it."""
        session = self._session
        if session is None:
            raise RuntimeUnavailable("The encoder is closed.")
        check_batch(input_ids, attention_mask)
        names = layer_names([output.name for output in session.get_outputs()])
        try:
            found: list[Any] = session.run(
                ["embedding", *names], {"input_ids": input_ids, "attention_mask": attention_mask}
            )
        except Exception as error:
            raise _failed(error) from error
        return found[0], found[1:]

    def close(self) -> None:
        """Free the session and the buffers."""
        with self._one_at_a_time:
            self._session = None
            self._bound.clear()

    def _warm(self, buckets: Buckets, graphs: bool) -> None:
        assert self._session is not None
        dim = self._session.get_outputs()[0].shape[-1]
        if not isinstance(dim, int):
            raise RuntimeUnavailable("The model does not say how many dimensions its embedding has.")
        memory = "cpu" if self.device == "CPU" else "cuda"
        for number, bucket in enumerate(buckets.all(), start=1):
            try:
                self._bound[bucket] = _Bound(self._session, bucket, dim, memory, number if graphs else 0)
            except Exception as error:
                raise _failed(error) from error

    def _run_bound(
        self, session: ort.InferenceSession, want_states: bool, bucket: Bucket, ids: Ids, mask: Ids
    ) -> tuple[Floats, Floats | None]:
        with self._one_at_a_time:
            bound = self._bound.get(bucket)
            if bound is None:
                raise RuntimeUnavailable("The encoder is closed.")
            try:
                return bound.run(session, ids, mask, want_states)
            except Exception as error:
                raise _failed(error) from error


class _Bound:
    """Buffers of one bucket on the device, and the run that reads and writes them."""

    def __init__(
        self, session: ort.InferenceSession, bucket: Bucket, dim: int, memory: str, graph: int
    ) -> None:
        """`graph`: the captured graph's number, from 1; 0 captures none."""
        shape = (bucket.rows, bucket.tokens)
        ones = np.ones(shape, np.int64)
        # In the processor's own memory a value is the array that it was made from: each has one of its own.
        self._inputs = [ort.OrtValue.ortvalue_from_numpy(ones.copy(), memory, 0) for _ in range(2)]
        self._outputs = [
            ort.OrtValue.ortvalue_from_shape_and_type(size, np.float32, memory, 0)
            for size in ((bucket.rows, dim), (*shape, dim))
        ]
        self._binding = session.io_binding()
        for name, value in zip(("input_ids", "attention_mask"), self._inputs, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        for name, value in zip(_BOTH, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, value)
        self._options = ort.RunOptions()
        if graph:
            self._options.add_run_config_entry("gpu_graph_id", str(graph))
        for _ in range(WARMING_RUNS):
            self.run(session, ones, ones, want_states=True)

    def run(
        self, session: ort.InferenceSession, ids: Ids, mask: Ids, want_states: bool
    ) -> tuple[Floats, Floats | None]:
        for value, array in zip(self._inputs, (ids, mask), strict=True):
            value.update_inplace(np.ascontiguousarray(array))
        session.run_with_iobinding(self._binding, self._options)
        # On the CPU `numpy` is a view of the buffer; what is returned is the caller's to keep.
        embedding, states = self._outputs
        return embedding.numpy().copy(), states.numpy().copy() if want_states else None


def _failed(error: Exception) -> RuntimeUnavailable:
    """ONNX Runtime's own words may quote a batch; its kind of error does not."""
    return RuntimeUnavailable(f"ONNX Runtime failed on this batch ({type(error).__name__}).")


def _open(path: Path, threads: int, device: str, graphs: bool) -> ort.InferenceSession:
    provider = _PROVIDERS[device]
    settings = _provider_settings(path, device, graphs)
    # What has no kernel on the GPU runs on the CPU, behind the provider's back and measured as such.
    providers: list[Any] = [(provider, settings), *(["CPUExecutionProvider"] if device != "CPU" else [])]
    try:
        return ort.InferenceSession(path, session_options(threads), providers=providers)
    except Exception as error:
        raise RuntimeUnavailable(f"ONNX Runtime cannot load {path.name} ({type(error).__name__}).") from error


def _provider_settings(path: Path, device: str, graphs: bool) -> dict[str, str]:
    if device == "CUDA":
        # Grows by what is asked for, not to the next power of two: the language model wants the rest.
        return {"enable_cuda_graph": str(int(graphs)), "arena_extend_strategy": "kSameAsRequested"}
    if device == "TENSORRT":
        cache = str(path.parent / "tensorrt-cache")  # an engine takes minutes to build
        return {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": cache,
            "trt_fp16_enable": "1",
            "trt_cuda_graph_enable": str(int(graphs)),
        }
    return {}


def session_options(threads: int) -> ort.SessionOptions:
    """How every session of ours runs on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    # Idle threads must sleep: spinning ones took whole cores between two customers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena grows with the longest batch and never shrinks: 384 MB after batches of 8-256 tokens, 130 MB without.
    options.enable_cpu_mem_arena = False
    return options
