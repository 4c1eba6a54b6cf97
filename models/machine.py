"""What this machine is, as far as a model cares: the processor's instructions and the runtimes' versions.

A gate record is valid only for the machine that it was made on, and this is how that is told. No model is loaded.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

_CPUINFO: Final = Path("/proc/cpuinfo")

RELEVANT_FLAGS: Final = frozenset(
    {
        "avx2",
        "fma",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "amx_int8",
        "avx512_bf16",
        "asimd",
        "asimddp",
        "i8mm",
    }
)
"""Instructions that change which kernels run, hence the numbers that come out. The rest of the list is noise."""

VNNI_FLAGS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Without one of these the int8 product of x86 saturates in 16 bits, and weights must use 7 bits."""

RUNTIME_PACKAGES: Final = ("onnxruntime-gpu", "onnxruntime", "openvino", "openvino-genai")


class Machine(BaseModel):
    """What a model's numbers depend on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    cpu: str
    flags: tuple[str, ...]
    runtimes: dict[str, str]

    @property
    def needs_reduced_range(self) -> bool:
        """True on x86 without VNNI: int8 weights keep to 7 bits there."""
        return self.architecture in {"x86_64", "AMD64"} and not VNNI_FLAGS.intersection(self.flags)


@cache
def this_machine() -> Machine:
    """This machine, read once a process."""
    cpu, flags = _read_cpuinfo()
    return Machine(
        architecture=platform.machine(),
        cpu=cpu,
        flags=tuple(sorted(RELEVANT_FLAGS.intersection(flags))),
        runtimes={name: found for name in RUNTIME_PACKAGES if (found := _installed(name))},
    )


def differences(before: Machine, now: Machine) -> str:
    """What has changed, in words; a package too many is one, too: two of ONNX Runtime's hide each other."""
    processors = [(each.architecture, each.cpu, each.flags) for each in (before, now)]
    found = ["the processor is another one"] if processors[0] != processors[1] else []
    for name in sorted(before.runtimes.keys() | now.runtimes.keys()):
        was, is_ = (each.runtimes.get(name, "not installed") for each in (before, now))
        if was != is_:
            found.append(f"{name} was {was} and is {is_}")
    return "; ".join(found)


def usable_cpus() -> int:
    """Processors that this process may use (a container often may not use all)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read_cpuinfo() -> tuple[str, frozenset[str]]:
    try:
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or "unknown", frozenset()
    cpu, flags = platform.processor() or "unknown", frozenset[str]()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            cpu = value.strip()
        elif key.strip() in {"flags", "Features"}:
            flags = frozenset(value.split())
        elif not line and flags:
            break
    return cpu, flags
