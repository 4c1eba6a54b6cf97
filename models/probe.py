"""What accelerators this machine has, and why one that is asked for cannot be used. Reads files; starts no device.

A placement is valid for the hardware that it was measured on: `Hardware` is how that is told.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from models.errors import DeviceMissing
from models.machine import usable_cpus

ONNX_WHEELS: Final = ("onnxruntime", "onnxruntime-gpu")
"""Both bring the module `onnxruntime`: side by side the one that was installed last wins, file by file."""

CUDA_PACKAGES: Final = (
    "nvidia-cublas",
    "nvidia-cublas-cu12",
    "nvidia-cudnn-cu13",
    "nvidia-cudnn-cu12",
    "nvidia-cuda-runtime",
    "nvidia-cuda-runtime-cu12",
    "tensorrt",
)
"""Libraries whose versions change a GPU's figures, as far as they came by a package."""

_PROVIDERS: Final = {"CUDA": "CUDAExecutionProvider", "TENSORRT": "TensorrtExecutionProvider"}
_INTEL: Final = "0x8086"
_MISSING_LIBRARY: Final = re.compile(r"^([\w.+-]+\.so[\w.]*): cannot open shared object file")
_DRIVER: Final = re.compile(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)")
_KIB_PER_GB: Final = 10**6


class Hardware(BaseModel):
    """What a placement's figures depend on, beside the processor and the runtimes (`machine.Machine`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: int
    memory_gb: int
    nvidia_driver: str
    nvidia_gpus: tuple[str, ...]
    cuda_libraries: dict[str, str]
    intel_gpus: int
    npus: int
    kernel: str
    """Only where there is an Intel accelerator: its driver comes with the kernel."""


def read_hardware(root: Path = Path("/")) -> Hardware:
    """This machine's, a few milliseconds. `root` is for tests."""
    intel = sum(_text(path) == _INTEL for path in root.glob("sys/class/drm/renderD*/device/vendor"))
    npus = sum(_text(path) == _INTEL for path in root.glob("sys/class/accel/accel*/device/vendor"))
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    driver = _DRIVER.search(_text(root / "proc/driver/nvidia/version"))
    return Hardware(
        cores=usable_cpus(),
        memory_gb=round(int(memory[1]) / _KIB_PER_GB) if memory else 0,
        nvidia_driver=driver[1] if driver else "",
        nvidia_gpus=tuple(_nvidia_gpus(root)),
        cuda_libraries={name: found for name in CUDA_PACKAGES if (found := _installed(name))}
        if driver
        else {},
        intel_gpus=intel,
        npus=npus,
        kernel=platform.release() if intel or npus else "",
    )


@cache
def this_hardware() -> Hardware:
    """This machine's, read once a process."""
    return read_hardware()


def check_device(device: str) -> None:
    """Whether a runtime can be expected to start on `device`. Raises DeviceMissing with the first thing that lacks."""
    if device in _PROVIDERS:
        check_onnx_provider(device, this_hardware())
    elif device in {"GPU", "NPU"}:
        check_openvino_device(device, this_hardware())


def check_onnx_provider(
    device: str,
    hardware: Hardware,
    *,
    installed: Callable[[str], str | None] | None = None,
    loads: Callable[[str], str] | None = None,
) -> None:
    """`CUDA` or `TENSORRT`, from the hardware upwards. Raises DeviceMissing."""
    installed, loads = installed or _installed, loads or _library_missing
    if not hardware.nvidia_driver:
        raise DeviceMissing(
            "no_nvidia_driver",
            "There is no NVIDIA driver: /proc/driver/nvidia is not there.",
            remedy="Install the driver of the GPU's maker, or set models.device to auto.",
        )
    wheels = [name for name in ONNX_WHEELS if installed(name)]
    if len(wheels) > 1:
        raise DeviceMissing(
            "both_onnxruntime_wheels",
            "onnxruntime and onnxruntime-gpu are both installed: the CUDA provider vanishes that way.",
            remedy="Uninstall both, then install onnxruntime-gpu.",
        )
    if wheels != ["onnxruntime-gpu"]:
        raise DeviceMissing(
            "provider_absent",
            f"{wheels[0] if wheels else 'No ONNX Runtime'} is installed, which has no {_PROVIDERS[device]}.",
            remedy="Uninstall it, then install onnxruntime-gpu from the lock file.",
        )
    if missing := loads(device):
        raise DeviceMissing(
            "cuda_library_missing",
            f"ONNX Runtime's {device} provider does not load: {missing} is missing.",
            remedy=f"Install the library that brings {missing}, in the version that onnxruntime-gpu names.",
        )


def check_openvino_device(device: str, hardware: Hardware) -> None:
    """`GPU` or `NPU` of Intel's, as far as files tell; whether it starts, OpenVINO says. Raises DeviceMissing."""
    count, what = (hardware.intel_gpus, "graphics") if device == "GPU" else (hardware.npus, "NPU")
    if not count:
        place = "/dev/dri" if device == "GPU" else "/dev/accel"
        raise DeviceMissing(
            f"no_intel_{device.lower()}",
            f"There is no Intel {what}: nothing of Intel's stands under {place}.",
            remedy="Install its driver, or set models.device to auto.",
        )


def _library_missing(device: str) -> str:
    """The library without which a provider cannot be loaded; empty when it loads. Nothing is started."""
    module = importlib.util.find_spec("onnxruntime")
    assert module is not None
    assert module.origin is not None
    with suppress(ImportError, AttributeError, OSError):
        import onnxruntime

        onnxruntime.preload_dlls()  # those that came as packages
    provider = Path(module.origin).parent / "capi" / f"libonnxruntime_providers_{device.lower()}.so"
    try:
        ctypes.CDLL(str(provider))
    except OSError as error:
        found = _MISSING_LIBRARY.match(str(error))
        # A symbol of its host that is not there yet is no missing library: all are found by then.
        return found[1] if found else "" if provider.exists() else provider.name
    return ""


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _nvidia_gpus(root: Path) -> Iterator[str]:
    for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        if model := re.search(r"^Model:\s*(.+)$", _text(path), re.MULTILINE):
            yield model[1].strip()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
