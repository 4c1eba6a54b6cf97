"""What a process holds in memory stays there: no core dump, no other program's look, no swap.

CPython cannot wipe a string, so what customers said is in memory for a while; here is what keeps it from a disk.
"""

from __future__ import annotations

import ctypes
import resource
from enum import StrEnum
from pathlib import Path
from typing import Final

PR_SET_DUMPABLE: Final = 4
"""Of linux/prctl.h."""

MCL_CURRENT: Final = 1
MCL_FUTURE: Final = 2
MCL_ONFAULT: Final = 4
"""Of mman.h: lock pages when they are first used, rather than load all that is mapped."""

CORE_BYTES: Final = 1
"""Less than any core file has; and unlike 0 also the value at which Linux writes none to a program that collects them
(core(5), fs/coredump.c)."""

SWAP_REMEDY: Final = (
    "Run the processes as the systemd units do (MemorySwapMax=0), encrypt the swap device with a key that is made anew"
    " at every start, or turn swap off: swapoff -a."
)

_SWAPS = Path("/proc/swaps")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


class Swap(StrEnum):
    """Whether memory can reach a swap device, and what keeps it from there."""

    NONE = "none"  # the machine has none
    FORBIDDEN = "forbidden"  # by the process's control group
    LOCKED = "locked"  # by the process itself
    POSSIBLE = "possible"


def forbid_core_dumps() -> None:
    """From now on neither a crash nor a debugger of the same user gets at this process's memory.

    A program that it starts has the limit on core files too.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_out_of_swap() -> Swap:
    """Lock this process's memory if nothing else keeps it from being swapped; what holds in the end."""
    found = swap()
    if found is not Swap.POSSIBLE:
        return found
    # Needs CAP_IPC_LOCK or a limit (RLIMIT_MEMLOCK) above all that is mapped; otherwise it changes nothing.
    flags = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT
    return Swap.LOCKED if ctypes.CDLL(None, use_errno=True).mlockall(flags) == 0 else Swap.POSSIBLE


def memory_is_locked() -> bool:
    """Whether this process has locked its memory."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(line.startswith("VmLck:") and line.split()[1] != "0" for line in status.splitlines())


def swap(swaps: Path = _SWAPS, cgroup: Path = _CGROUP, cgroups: Path = _CGROUPS) -> Swap:
    """Whether this process could be swapped as things are; a lock of its own aside."""
    try:
        devices = swaps.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:  # cannot be told: take the worse
        return Swap.POSSIBLE
    if not devices:
        return Swap.NONE
    return Swap.FORBIDDEN if _forbidden(cgroup, cgroups) else Swap.POSSIBLE


def _forbidden(cgroup: Path, cgroups: Path) -> bool:
    """Whether the control group (v2), or one above it, grants no swap at all."""
    try:
        lines = cgroup.read_text(encoding="utf-8").splitlines()
        path = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return False
    here = cgroups / path.strip("/")
    groups = [folder for folder in (here, *here.parents) if folder.is_relative_to(cgroups)]
    return any(_is_zero(group / "memory.swap.max") for group in groups)


def _is_zero(limit: Path) -> bool:
    try:
        return limit.read_text(encoding="ascii").strip() == "0"
    except OSError:
        return False
