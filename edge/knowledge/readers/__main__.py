"""The process that reads files for the node: `python -m edge.knowledge.readers`, frames in, frames out.

Formats are read here because their libraries meet whatever a file holds: one that hangs is killed, one that wants too
much memory is refused it, and neither touches the node. It ends with its standard input.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import IO

from edge.knowledge.readers import Refusal, UnreadableDocument, read_bytes
from edge.knowledge.readers.frames import Ended, pack_document, pack_refusal, read_frame, write_frame

# Address space at most, bytes: the libraries take 0.1 GB; a Word document at its limits 0.4, most others less.
MEMORY_BYTES_MAX = 800_000_000
# Processor time of one file at most, seconds: the end of a hung process whose node is gone, too.
CPU_S_MAX = 120
# Reading is never urgent; answering is.
NICENESS = 10


def main() -> None:
    _restrict()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the frames.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, out)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Read one file after the other until the requests end."""
    while True:
        try:
            name = read_frame(requests).decode()
            data = read_frame(requests)
        except Ended:
            return
        spent = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_S_MAX, resource.RLIM_INFINITY))
        write_frame(answers, _answer(data, name))


def _answer(data: bytes, name: str) -> bytes:
    try:
        return pack_document(read_bytes(data, name))
    except UnreadableDocument as refusal:
        return pack_refusal(refusal)
    except MemoryError:
        return pack_refusal(too_much_memory())
    except Exception as error:
        # A library's own failure on a file that it does not understand. Its words may quote the file.
        detail = f"The program that reads such files failed ({type(error).__name__})."
        return pack_refusal(UnreadableDocument(Refusal.DAMAGED, detail))


def too_much_memory() -> UnreadableDocument:
    """The refusal of a file whose reading takes more memory than there is for it."""
    return UnreadableDocument(
        Refusal.TOO_LARGE, f"Reading it takes more than {MEMORY_BYTES_MAX // 10**6} MB of memory."
    )


def _restrict() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))


if __name__ == "__main__":
    main()
