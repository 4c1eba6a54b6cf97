"""What is in memory reaches no disk: no core file after a crash, no look from outside, no swap."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.memory import CORE_BYTES, Swap, swap

SWAPPING = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 8388604 0 -2\n"
NOTHING = "Filename\tType\tSize\tUsed\tPriority\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with a swap device, and this process in group a/b."""
    (tmp_path / "swaps").write_text(SWAPPING)
    (tmp_path / "cgroup").write_text("4:memory:/elsewhere\n0::/a/b\n")
    (tmp_path / "groups" / "a" / "b").mkdir(parents=True)
    return tmp_path


def found(machine: Path) -> Swap:
    return swap(machine / "swaps", machine / "cgroup", machine / "groups")


def test_without_a_device_nothing_is_swapped(machine: Path) -> None:
    (machine / "swaps").write_text(NOTHING)
    assert found(machine) is Swap.NONE


def test_a_device_and_no_limit(machine: Path) -> None:
    assert found(machine) is Swap.POSSIBLE


@pytest.mark.parametrize(
    ("group", "limit", "expected"),
    [
        ("a/b", "0\n", Swap.FORBIDDEN),
        ("a", "0\n", Swap.FORBIDDEN),
        ("a/b", "4096\n", Swap.POSSIBLE),
        ("a/b", "max\n", Swap.POSSIBLE),
    ],
)
def test_the_control_group_or_one_above_it(machine: Path, group: str, limit: str, expected: Swap) -> None:
    (machine / "groups" / group / "memory.swap.max").write_text(limit)
    assert found(machine) is expected


def test_what_cannot_be_told_counts_as_possible(machine: Path) -> None:
    (machine / "swaps").unlink()
    assert found(machine) is Swap.POSSIBLE


def test_the_older_control_groups_tell_nothing(machine: Path) -> None:
    (machine / "cgroup").write_text("4:memory:/elsewhere\n")
    assert found(machine) is Swap.POSSIBLE


def child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program in `folder` whose hard limit on core files is as high as this process may set it."""

    def allow() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        preexec_fn=allow,
        capture_output=True,
        text=True,
        check=False,
    )


CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGABRT)"


@pytest.mark.proves("memory")
def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    assert child(CRASH, before).returncode == -signal.SIGABRT
    sealed = child(f"from core.memory import forbid_core_dumps as f; f(); {CRASH}", after)
    assert sealed.returncode == -signal.SIGABRT
    assert not list(after.iterdir())
    writes_here = not Path("/proc/sys/kernel/core_pattern").read_text().startswith(("/", "|"))
    if writes_here and resource.getrlimit(resource.RLIMIT_CORE)[1] == resource.RLIM_INFINITY:
        assert list(before.iterdir()), "this machine would have written one"


@pytest.mark.proves("memory")
def test_nobody_else_may_look_and_children_write_none_either(tmp_path: Path) -> None:
    code = (
        "import ctypes, resource, subprocess, sys\n"
        "from core.memory import forbid_core_dumps\n"
        "forbid_core_dumps()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
        "look = 'import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))'\n"
        "subprocess.run([sys.executable, '-c', look], check=True)\n"
    )
    lines = child(code, tmp_path).stdout.split()
    assert lines == ["0", *[str(CORE_BYTES)] * 4]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may lock more memory than the usual limit")
def test_locked_memory(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "import core.memory as memory\n"
        "memory.swap = lambda: memory.Swap.POSSIBLE\n"
        "assert not memory.memory_is_locked()\n"
        "print(memory.keep_out_of_swap(), memory.memory_is_locked())\n"
    )
    assert child(code, tmp_path).stdout.split() == ["locked", "True"]


@pytest.mark.proves("memory")
def test_without_the_right_to_lock_it_says_so(tmp_path: Path) -> None:
    code = (
        "import os, resource\n"
        "import core.memory as memory\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "if os.getuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "memory.swap = lambda: memory.Swap.POSSIBLE\n"
        "print(memory.keep_out_of_swap(), len(bytearray(10_000_000)))\n"
    )
    assert child(code, tmp_path).stdout.split() == ["possible", "10000000"]
