from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OutboxClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTBOX_CLASS_UNSPECIFIED: _ClassVar[OutboxClass]
    OUTBOX_CLASS_AUDIT: _ClassVar[OutboxClass]
    OUTBOX_CLASS_STATE: _ClassVar[OutboxClass]
    OUTBOX_CLASS_METRICS: _ClassVar[OutboxClass]

class GoodbyeReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOODBYE_REASON_UNSPECIFIED: _ClassVar[GoodbyeReason]
    GOODBYE_REASON_SHUTDOWN: _ClassVar[GoodbyeReason]
    GOODBYE_REASON_REPLACED: _ClassVar[GoodbyeReason]
    GOODBYE_REASON_REVOKED: _ClassVar[GoodbyeReason]
    GOODBYE_REASON_PROTOCOL_ERROR: _ClassVar[GoodbyeReason]
    GOODBYE_REASON_BUSY: _ClassVar[GoodbyeReason]
OUTBOX_CLASS_UNSPECIFIED: OutboxClass
OUTBOX_CLASS_AUDIT: OutboxClass
OUTBOX_CLASS_STATE: OutboxClass
OUTBOX_CLASS_METRICS: OutboxClass
GOODBYE_REASON_UNSPECIFIED: GoodbyeReason
GOODBYE_REASON_SHUTDOWN: GoodbyeReason
GOODBYE_REASON_REPLACED: GoodbyeReason
GOODBYE_REASON_REVOKED: GoodbyeReason
GOODBYE_REASON_PROTOCOL_ERROR: GoodbyeReason
GOODBYE_REASON_BUSY: GoodbyeReason

class UploadRequest(_message.Message):
    __slots__ = ("upload_open", "outbox_batch")
    UPLOAD_OPEN_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_BATCH_FIELD_NUMBER: _ClassVar[int]
    upload_open: UploadOpen
    outbox_batch: OutboxBatch
    def __init__(self, upload_open: _Optional[_Union[UploadOpen, _Mapping]] = ..., outbox_batch: _Optional[_Union[OutboxBatch, _Mapping]] = ...) -> None: ...

class UploadResponse(_message.Message):
    __slots__ = ("upload_ready", "outbox_ack", "outbox_nack")
    UPLOAD_READY_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_ACK_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_NACK_FIELD_NUMBER: _ClassVar[int]
    upload_ready: UploadReady
    outbox_ack: OutboxAck
    outbox_nack: OutboxNack
    def __init__(self, upload_ready: _Optional[_Union[UploadReady, _Mapping]] = ..., outbox_ack: _Optional[_Union[OutboxAck, _Mapping]] = ..., outbox_nack: _Optional[_Union[OutboxNack, _Mapping]] = ...) -> None: ...

class UploadOpen(_message.Message):
    __slots__ = ("epoch", "stream_generation", "oldest_sequence", "newest_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STREAM_GENERATION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NEWEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: bytes
    stream_generation: int
    oldest_sequence: int
    newest_sequence: int
    def __init__(self, epoch: _Optional[bytes] = ..., stream_generation: _Optional[int] = ..., oldest_sequence: _Optional[int] = ..., newest_sequence: _Optional[int] = ...) -> None: ...

class UploadReady(_message.Message):
    __slots__ = ("committed_sequence", "batch_rows_max", "batch_bytes_max", "credit_rows", "credit_bytes")
    COMMITTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BATCH_ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    BATCH_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ROWS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    committed_sequence: int
    batch_rows_max: int
    batch_bytes_max: int
    credit_rows: int
    credit_bytes: int
    def __init__(self, committed_sequence: _Optional[int] = ..., batch_rows_max: _Optional[int] = ..., batch_bytes_max: _Optional[int] = ..., credit_rows: _Optional[int] = ..., credit_bytes: _Optional[int] = ...) -> None: ...

class OutboxNack(_message.Message):
    __slots__ = ("epoch", "sequence", "code")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    epoch: bytes
    sequence: int
    code: str
    def __init__(self, epoch: _Optional[bytes] = ..., sequence: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...

class ConnectRequest(_message.Message):
    __slots__ = ("hello", "heartbeat", "reported_state")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REPORTED_STATE_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    heartbeat: Heartbeat
    reported_state: ReportedState
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., reported_state: _Optional[_Union[ReportedState, _Mapping]] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("welcome", "heartbeat_ack", "desired_state", "goodbye")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACK_FIELD_NUMBER: _ClassVar[int]
    DESIRED_STATE_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    heartbeat_ack: HeartbeatAck
    desired_state: DesiredState
    goodbye: Goodbye
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., heartbeat_ack: _Optional[_Union[HeartbeatAck, _Mapping]] = ..., desired_state: _Optional[_Union[DesiredState, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("software_version", "applied_generation", "applied_hash")
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_HASH_FIELD_NUMBER: _ClassVar[int]
    software_version: str
    applied_generation: int
    applied_hash: bytes
    def __init__(self, software_version: _Optional[str] = ..., applied_generation: _Optional[int] = ..., applied_hash: _Optional[bytes] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("stream_generation", "heartbeat_interval_ms")
    STREAM_GENERATION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    stream_generation: int
    heartbeat_interval_ms: int
    def __init__(self, stream_generation: _Optional[int] = ..., heartbeat_interval_ms: _Optional[int] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("number", "queue_percent", "outbox_rows", "outbox_oldest_seconds", "fallbacks", "disk_free_percent")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    QUEUE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_ROWS_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_OLDEST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    queue_percent: int
    outbox_rows: int
    outbox_oldest_seconds: int
    fallbacks: _containers.RepeatedScalarFieldContainer[str]
    disk_free_percent: int
    def __init__(self, number: _Optional[int] = ..., queue_percent: _Optional[int] = ..., outbox_rows: _Optional[int] = ..., outbox_oldest_seconds: _Optional[int] = ..., fallbacks: _Optional[_Iterable[str]] = ..., disk_free_percent: _Optional[int] = ...) -> None: ...

class HeartbeatAck(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class OutboxRow(_message.Message):
    __slots__ = ("sequence", "kind", "payload", "payload_hash", "created_unix_ms")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: str
    payload: bytes
    payload_hash: bytes
    created_unix_ms: int
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ..., payload_hash: _Optional[bytes] = ..., created_unix_ms: _Optional[int] = ..., **kwargs) -> None: ...

class OutboxBatch(_message.Message):
    __slots__ = ("epoch", "rows")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    epoch: bytes
    rows: _containers.RepeatedCompositeFieldContainer[OutboxRow]
    def __init__(self, epoch: _Optional[bytes] = ..., rows: _Optional[_Iterable[_Union[OutboxRow, _Mapping]]] = ...) -> None: ...

class OutboxAck(_message.Message):
    __slots__ = ("epoch", "committed_sequence", "credit_rows", "credit_bytes")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_ROWS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    epoch: bytes
    committed_sequence: int
    credit_rows: int
    credit_bytes: int
    def __init__(self, epoch: _Optional[bytes] = ..., committed_sequence: _Optional[int] = ..., credit_rows: _Optional[int] = ..., credit_bytes: _Optional[int] = ...) -> None: ...

class DesiredState(_message.Message):
    __slots__ = ("generation", "hash", "document")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    hash: bytes
    document: bytes
    def __init__(self, generation: _Optional[int] = ..., hash: _Optional[bytes] = ..., document: _Optional[bytes] = ...) -> None: ...

class ReportedState(_message.Message):
    __slots__ = ("observed_generation", "applied_generation", "rejected_field", "rejected_reason", "models", "documents", "chunks", "devices_online", "software_version")
    OBSERVED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_FIELD_NUMBER: _ClassVar[int]
    REJECTED_REASON_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_ONLINE_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    observed_generation: int
    applied_generation: int
    rejected_field: str
    rejected_reason: str
    models: _containers.RepeatedCompositeFieldContainer[ModelState]
    documents: int
    chunks: int
    devices_online: int
    software_version: str
    def __init__(self, observed_generation: _Optional[int] = ..., applied_generation: _Optional[int] = ..., rejected_field: _Optional[str] = ..., rejected_reason: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelState, _Mapping]]] = ..., documents: _Optional[int] = ..., chunks: _Optional[int] = ..., devices_online: _Optional[int] = ..., software_version: _Optional[str] = ...) -> None: ...

class ModelState(_message.Message):
    __slots__ = ("name", "version", "runtime", "device")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    runtime: str
    device: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("reason", "retry_after_ms")
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    reason: GoodbyeReason
    retry_after_ms: int
    def __init__(self, reason: _Optional[_Union[GoodbyeReason, str]] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...
