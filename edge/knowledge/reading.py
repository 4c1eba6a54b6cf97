"""Reading files in a process of its own: a file that hangs or explodes costs that process, not the node.

The process starts with the first file, reads one file after the other, and is killed past the time that one may take;
the next file gets a new one. Blocking and thread-safe.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence

from core.errors import PosternError
from edge.knowledge.document import Document
from edge.knowledge.readers import Refusal, UnreadableDocument
from edge.knowledge.readers.frames import Ended, read_frame, unpack, write_frame

# Longest that one file may take, seconds. A PDF of 2,000 pages takes 20 to 30 on a small machine.
READ_S_MAX = 90.0
COMMAND = (sys.executable, "-m", "edge.knowledge.readers")


class NotReading(PosternError):
    """Files are to be read while the node stops."""

    code = "not_reading"
    title = "The node is stopping"
    remedy = "Run the command again when the node is back; what was added stays."
    status = 503


class ReaderProcess:
    """The process, while there is one. `command` and `read_s_max` are other than usual only in tests."""

    def __init__(self, command: Sequence[str] = COMMAND, read_s_max: float = READ_S_MAX) -> None:
        self._command = command
        self._read_s_max = read_s_max
        self._lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def read(self, data: bytes, name: str) -> Document:
        """The document in `data`. Raises UnreadableDocument, NotReading."""
        with self._lock:
            if self._closed:
                raise NotReading
            return self._read(data, name)

    def rest(self) -> None:
        """End the process until there is something to read again."""
        with self._lock:
            self._end()

    def close(self) -> None:
        """End the process for good, in the middle of a file if need be."""
        self._closed = True
        if process := self.process:
            process.kill()
        self.rest()

    def _read(self, data: bytes, name: str) -> Document:
        process = self.process = self.process or self._start()
        overdue = threading.Event()

        def kill() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(self._read_s_max, kill)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            write_frame(process.stdin, name.encode())
            write_frame(process.stdin, data)
            return unpack(read_frame(process.stdout))
        except (Ended, BrokenPipeError):
            self._end()
            if self._closed:
                raise NotReading from None
            raise self._failure(overdue.is_set()) from None
        finally:
            timer.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        # Standard error goes nowhere: what a library complains of may quote the file.
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()

    def _failure(self, overdue: bool) -> UnreadableDocument:
        if overdue:
            return UnreadableDocument(Refusal.TOO_SLOW, f"Reading it takes more than {self._read_s_max:g} s.")
        return UnreadableDocument(Refusal.DAMAGED, "The program that reads such files crashed on it.")
