"""What lacks is named: the driver, the wheel, the library, one after the other, from files of a made-up machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DeviceMissing
from models.probe import Hardware, check_onnx_provider, check_openvino_device, read_hardware

BARE = Hardware(
    cores=2,
    memory_gb=16,
    nvidia_driver="",
    nvidia_gpus=(),
    cuda_libraries={},
    intel_gpus=0,
    npus=0,
    kernel="",
)
WITH_DRIVER = BARE.model_copy(update={"nvidia_driver": "590.48.01"})


def put(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def test_a_machine_with_nothing(tmp_path: Path) -> None:
    found = read_hardware(tmp_path)
    assert found == BARE.model_copy(update={"cores": found.cores, "memory_gb": 0})


@pytest.mark.parametrize(
    ("line", "driver"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19", "535.104.05"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.48.01  Release Build",
            "590.48.01",
        ),
        ("something else", ""),
    ],
)
def test_everything_is_read_where_the_kernel_says_it(tmp_path: Path, line: str, driver: str) -> None:
    put(tmp_path, "proc/driver/nvidia/version", f"{line}\nGCC version: 12\n")
    put(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA L4\nIRQ: 1\n")
    put(tmp_path, "proc/meminfo", "MemTotal:       24000000 kB\n")
    put(tmp_path, "sys/class/drm/renderD128/device/vendor", "0x8086\n")
    put(tmp_path, "sys/class/drm/renderD129/device/vendor", "0x10de\n")
    put(tmp_path, "sys/class/accel/accel0/device/vendor", "0x8086\n")
    found = read_hardware(tmp_path)
    assert (found.nvidia_driver, found.nvidia_gpus, found.memory_gb) == (driver, ("NVIDIA L4",), 24)
    assert (found.intel_gpus, found.npus) == (1, 1)
    assert found.kernel


@pytest.mark.parametrize(
    ("hardware", "wheels", "missing", "reason"),
    [
        (BARE, {"onnxruntime-gpu"}, "", "no_nvidia_driver"),
        (WITH_DRIVER, {"onnxruntime", "onnxruntime-gpu"}, "", "both_onnxruntime_wheels"),
        (WITH_DRIVER, {"onnxruntime"}, "", "provider_absent"),
        (WITH_DRIVER, set(), "", "provider_absent"),
        (WITH_DRIVER, {"onnxruntime-gpu"}, "libcudnn.so.9", "cuda_library_missing"),
    ],
)
def test_the_first_thing_that_lacks_is_named(
    hardware: Hardware, wheels: set[str], missing: str, reason: str
) -> None:
    with pytest.raises(DeviceMissing) as caught:
        check_onnx_provider(
            "CUDA",
            hardware,
            installed=lambda name: "1" if name in wheels else None,
            loads=lambda _: missing,
        )
    assert caught.value.reason == reason
    assert missing in caught.value.detail
    assert missing in caught.value.remedy
    assert caught.value.remedy


def test_nothing_lacks() -> None:
    check_onnx_provider(
        "CUDA",
        WITH_DRIVER,
        installed=lambda name: "1" if name == "onnxruntime-gpu" else None,
        loads=lambda _: "",
    )
    check_openvino_device("NPU", BARE.model_copy(update={"npus": 1}))


@pytest.mark.parametrize(("device", "reason"), [("GPU", "no_intel_gpu"), ("NPU", "no_intel_npu")])
def test_no_intel_device(device: str, reason: str) -> None:
    with pytest.raises(DeviceMissing) as caught:
        check_openvino_device(device, BARE)
    assert caught.value.reason == reason
