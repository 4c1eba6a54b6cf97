"""The rules of one upload, without clock and without I/O: events in, effects out.

open → ready → batches of the outbox under (epoch, sequence), in order, no more of them unacknowledged than the control
plane gives credit for. An acknowledgement is cumulative and is believed only for rows that were sent. A row that the
control plane can never take becomes a dead letter with a tombstone in its place, and the line goes on from there.
A new stream is a new session; what must survive lives in the store.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge.egress.records.schemas import Batch, UploadOpen, first_of
from edge.sync.events import (
    Acknowledge,
    Bury,
    Disconnect,
    Effect,
    Outbox,
    OutboxGrew,
    ReadRows,
    RowBuried,
    RowsRead,
    Send,
    UploadEvent,
)
from edge.sync.frames import Credit, OutboxAck, OutboxNack, UploadReady
from edge.sync.session import PROTOCOL_PAUSE_MS

# One envelope is one leaf of the ledger and at most this much, whatever the control plane offers.
BATCH_ROWS_MAX = 256
BATCH_BYTES_MAX = 900_000
# What the courier's lane holds (edge/egress/courier/lane.py), so that small batches do not stop the socket to it.
BATCHES_IN_FLIGHT_MAX = 16
# The guard lets a payload of 16 KiB out; with the row's other fields. With less room than that nothing is read.
ROW_BYTES_MAX = 17 * 1024
# Codes under which a refused row is kept; what a newer control plane says instead is kept as the last.
NACK_CODES = frozenset({"hash", "kind", "schema", "size"})
_OTHER_CODE = "other"


@dataclass(frozen=True)
class _Sent:
    """A batch that is not acknowledged."""

    last: int
    rows: int
    bytes: int


class UploadSession:
    """One upload. `begin` once, then `receive`; events after the end do nothing."""

    def __init__(self, outbox: Outbox, stream_generation: int) -> None:
        self._outbox = outbox
        self._generation = stream_generation
        self._ready = False
        self._closed = False
        self._acknowledged = 0
        self._sent = 0
        self._highest = 0  # ever sent in this upload
        self._in_flight: deque[_Sent] = deque()
        self._credit = Credit(0, 0)
        self._rows_max = BATCH_ROWS_MAX
        self._bytes_max = BATCH_BYTES_MAX
        self._reading = False
        self._more = True
        self._burying = 0

    def begin(self) -> list[Effect]:
        """The first words."""
        outbox = self._outbox
        opening = UploadOpen(
            epoch=outbox.epoch,
            stream_generation=self._generation,
            oldest_sequence=outbox.oldest,
            newest_sequence=outbox.newest,
        )
        return [Send(opening)]

    def receive(self, event: UploadEvent) -> list[Effect]:
        """What follows from an event."""
        if self._closed:
            return []
        match event:
            case UploadReady():
                return self._rewind(event) if self._ready else self._start(event)
            case OutboxGrew():
                self._more = True
                return self._pump()
        if not self._ready:
            return self._broken("upload_not_ready")
        match event:
            case RowsRead():
                return self._send_rows(event)
            case OutboxAck():
                return self._acknowledge(event)
            case OutboxNack():
                return self._refused(event)
            case RowBuried():
                return self._buried(event)

    def _start(self, ready: UploadReady) -> list[Effect]:
        committed = ready.committed_sequence
        if committed > self._outbox.newest:
            # An older copy of this store has been put back under its old epoch: its next rows would carry numbers
            # that the control plane has already seen, and vanish there as duplicates.
            return self._end("outbox_behind_control_plane", PROTOCOL_PAUSE_MS)
        self._ready = True
        self._acknowledged = self._sent = self._highest = committed
        self._rows_max = max(1, min(ready.batch_rows_max or BATCH_ROWS_MAX, BATCH_ROWS_MAX))
        self._bytes_max = max(1, min(ready.batch_bytes_max or BATCH_BYTES_MAX, BATCH_BYTES_MAX))
        self._credit = ready.credit
        acknowledge: list[Effect] = [Acknowledge(self._outbox.epoch, committed)] if committed else []
        return [*acknowledge, *self._pump()]

    def _rewind(self, ready: UploadReady) -> list[Effect]:
        """A batch did not follow what is committed: go on from there."""
        committed = ready.committed_sequence
        if not self._acknowledged <= committed <= self._highest:
            return self._broken("ready_out_of_range")
        self._credit = ready.credit
        effects = self._committed(committed)
        self._go_back_to(committed)
        return [*effects, *self._pump()]

    def _go_back_to(self, sequence: int) -> None:
        self._sent = sequence
        self._in_flight.clear()
        self._more = True

    def _pump(self) -> list[Effect]:
        """Ask for the next rows when there is credit for some and nobody is reading yet."""
        if not self._ready or self._reading or self._burying or not self._more:
            return []
        rows = self._credit.rows - sum(batch.rows for batch in self._in_flight)
        size = self._credit.bytes - sum(batch.bytes for batch in self._in_flight)
        if len(self._in_flight) >= BATCHES_IN_FLIGHT_MAX:
            return []
        if self._in_flight and (rows < 1 or size < ROW_BYTES_MAX):
            return []
        # With nothing in flight one row may always go: a credit of nothing would be a standstill for ever.
        rows, size = max(1, min(rows, self._rows_max)), max(1, min(size, self._bytes_max))
        self._reading = True
        return [ReadRows(self._sent, rows, size)]

    def _send_rows(self, read: RowsRead) -> list[Effect]:
        self._reading = False
        if read.after != self._sent:
            return self._pump()  # read before the control plane asked for another place
        if not read.rows:
            self._more = False
            return []
        if not first_of(read.rows[0]) <= self._sent + 1 <= read.rows[0].sequence:
            # Rows that neither side has. A new upload names the oldest row, and the control plane records the gap.
            return self._end("outbox_gap")
        self._sent = read.rows[-1].sequence
        self._highest = max(self._highest, self._sent)
        size = sum(len(row.payload) for row in read.rows)
        self._in_flight.append(_Sent(self._sent, len(read.rows), size))
        return [Send(Batch(epoch=self._outbox.epoch, rows=read.rows)), *self._pump()]

    def _acknowledge(self, ack: OutboxAck) -> list[Effect]:
        if ack.epoch != self._outbox.epoch:
            return self._broken("ack_of_other_epoch")
        if ack.committed_sequence > self._highest:
            return self._broken("ack_of_unsent_rows")
        self._credit = ack.credit
        return [*self._committed(ack.committed_sequence), *self._pump()]

    def _committed(self, sequence: int) -> list[Effect]:
        if sequence <= self._acknowledged:
            return []  # late or repeated: acknowledgements are cumulative
        self._acknowledged = sequence
        self._sent = max(self._sent, sequence)
        while self._in_flight and self._in_flight[0].last <= sequence:
            self._in_flight.popleft()
        return [Acknowledge(self._outbox.epoch, sequence)]

    def _refused(self, nack: OutboxNack) -> list[Effect]:
        if nack.epoch != self._outbox.epoch:
            return self._broken("nack_of_other_epoch")
        if not self._acknowledged < nack.sequence <= self._highest:
            return self._broken("nack_of_unsent_row")
        effects = self._committed(nack.sequence - 1)
        self._go_back_to(nack.sequence - 1)
        self._burying = nack.sequence
        return [*effects, Bury(nack.sequence, nack.code if nack.code in NACK_CODES else _OTHER_CODE)]

    def _buried(self, buried: RowBuried) -> list[Effect]:
        if not buried.done:
            return self._broken("tombstone_refused")
        if buried.sequence == self._burying:
            self._burying = 0
        return self._pump()

    def _broken(self, reason: str) -> list[Effect]:
        """The other side does not keep the protocol: nothing of it is believed, and the rows stay here."""
        return self._end(reason, PROTOCOL_PAUSE_MS)

    def _end(self, reason: str, retry_after_ms: int = 0) -> list[Effect]:
        self._closed = True
        return [Disconnect(reason, retry_after_ms)]
