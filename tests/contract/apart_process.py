"""A child for the tests of `edge.chat.apart`: does what its task says."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Any

from core.errors import PosternError
from edge.chat.apart import Done, serve
from models.progress import Report

PR_GET_DUMPABLE = 3


class TooFew(PosternError):
    """What the child finds wrong."""

    title = "Too few"
    remedy = "Write more."


def work(task: dict[str, Any], report: Report) -> Done:
    report("Counting", 1, 2)
    match task["do"]:
        case "fail":
            raise TooFew("There are two.")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "look":
            core_bytes, _ = resource.getrlimit(resource.RLIMIT_CORE)
            return Done(
                {"dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), "core_bytes": core_bytes}
            )
        case "babble":
            sys.stdout.write("no JSON\n")
            sys.stdout.flush()
    return Done({"niceness": os.nice(0), "threads": os.environ["OMP_NUM_THREADS"]}, bytes(task["bytes"]))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, work)
