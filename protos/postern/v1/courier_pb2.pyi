from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnvelopePurpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENVELOPE_PURPOSE_UNSPECIFIED: _ClassVar[EnvelopePurpose]
    ENVELOPE_PURPOSE_FRAMING: _ClassVar[EnvelopePurpose]
    ENVELOPE_PURPOSE_RECORDS: _ClassVar[EnvelopePurpose]
    ENVELOPE_PURPOSE_OVERFLOW: _ClassVar[EnvelopePurpose]
    ENVELOPE_PURPOSE_FETCH: _ClassVar[EnvelopePurpose]
ENVELOPE_PURPOSE_UNSPECIFIED: EnvelopePurpose
ENVELOPE_PURPOSE_FRAMING: EnvelopePurpose
ENVELOPE_PURPOSE_RECORDS: EnvelopePurpose
ENVELOPE_PURPOSE_OVERFLOW: EnvelopePurpose
ENVELOPE_PURPOSE_FETCH: EnvelopePurpose

class NodeFrame(_message.Message):
    __slots__ = ("attach", "open_link", "envelope", "close_link", "enrol_order", "overflow_attach", "overflow_order", "overflow_cancel", "fetch_order", "proof_order")
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    OPEN_LINK_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    CLOSE_LINK_FIELD_NUMBER: _ClassVar[int]
    ENROL_ORDER_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_ATTACH_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_ORDER_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_CANCEL_FIELD_NUMBER: _ClassVar[int]
    FETCH_ORDER_FIELD_NUMBER: _ClassVar[int]
    PROOF_ORDER_FIELD_NUMBER: _ClassVar[int]
    attach: Attach
    open_link: OpenLink
    envelope: Envelope
    close_link: CloseLink
    enrol_order: EnrolOrder
    overflow_attach: OverflowAttach
    overflow_order: OverflowOrder
    overflow_cancel: OverflowCancel
    fetch_order: FetchOrder
    proof_order: ProofOrder
    def __init__(self, attach: _Optional[_Union[Attach, _Mapping]] = ..., open_link: _Optional[_Union[OpenLink, _Mapping]] = ..., envelope: _Optional[_Union[Envelope, _Mapping]] = ..., close_link: _Optional[_Union[CloseLink, _Mapping]] = ..., enrol_order: _Optional[_Union[EnrolOrder, _Mapping]] = ..., overflow_attach: _Optional[_Union[OverflowAttach, _Mapping]] = ..., overflow_order: _Optional[_Union[OverflowOrder, _Mapping]] = ..., overflow_cancel: _Optional[_Union[OverflowCancel, _Mapping]] = ..., fetch_order: _Optional[_Union[FetchOrder, _Mapping]] = ..., proof_order: _Optional[_Union[ProofOrder, _Mapping]] = ...) -> None: ...

class CourierFrame(_message.Message):
    __slots__ = ("identity_state", "link_up", "link_down", "cloud_frame", "envelope_refused", "courier_numbers", "enrol_result", "overflow_state", "overflow_event", "overflow_failed", "fetch_piece", "fetch_ended", "proofs")
    IDENTITY_STATE_FIELD_NUMBER: _ClassVar[int]
    LINK_UP_FIELD_NUMBER: _ClassVar[int]
    LINK_DOWN_FIELD_NUMBER: _ClassVar[int]
    CLOUD_FRAME_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_REFUSED_FIELD_NUMBER: _ClassVar[int]
    COURIER_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    ENROL_RESULT_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_STATE_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_EVENT_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FAILED_FIELD_NUMBER: _ClassVar[int]
    FETCH_PIECE_FIELD_NUMBER: _ClassVar[int]
    FETCH_ENDED_FIELD_NUMBER: _ClassVar[int]
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    identity_state: IdentityState
    link_up: LinkUp
    link_down: LinkDown
    cloud_frame: CloudFrame
    envelope_refused: EnvelopeRefused
    courier_numbers: CourierNumbers
    enrol_result: EnrolResult
    overflow_state: OverflowState
    overflow_event: OverflowEvent
    overflow_failed: OverflowFailed
    fetch_piece: FetchPiece
    fetch_ended: FetchEnded
    proofs: Proofs
    def __init__(self, identity_state: _Optional[_Union[IdentityState, _Mapping]] = ..., link_up: _Optional[_Union[LinkUp, _Mapping]] = ..., link_down: _Optional[_Union[LinkDown, _Mapping]] = ..., cloud_frame: _Optional[_Union[CloudFrame, _Mapping]] = ..., envelope_refused: _Optional[_Union[EnvelopeRefused, _Mapping]] = ..., courier_numbers: _Optional[_Union[CourierNumbers, _Mapping]] = ..., enrol_result: _Optional[_Union[EnrolResult, _Mapping]] = ..., overflow_state: _Optional[_Union[OverflowState, _Mapping]] = ..., overflow_event: _Optional[_Union[OverflowEvent, _Mapping]] = ..., overflow_failed: _Optional[_Union[OverflowFailed, _Mapping]] = ..., fetch_piece: _Optional[_Union[FetchPiece, _Mapping]] = ..., fetch_ended: _Optional[_Union[FetchEnded, _Mapping]] = ..., proofs: _Optional[_Union[Proofs, _Mapping]] = ...) -> None: ...

class Attach(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OpenLink(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: int
    def __init__(self, link: _Optional[int] = ...) -> None: ...

class CloseLink(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: int
    def __init__(self, link: _Optional[int] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("link", "envelope_id", "purpose", "kind", "payload", "rows", "mac", "verdict", "policy", "salt")
    LINK_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    link: int
    envelope_id: bytes
    purpose: EnvelopePurpose
    kind: str
    payload: bytes
    rows: int
    mac: bytes
    verdict: str
    policy: bytes
    salt: bytes
    def __init__(self, link: _Optional[int] = ..., envelope_id: _Optional[bytes] = ..., purpose: _Optional[_Union[EnvelopePurpose, str]] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ..., rows: _Optional[int] = ..., mac: _Optional[bytes] = ..., verdict: _Optional[str] = ..., policy: _Optional[bytes] = ..., salt: _Optional[bytes] = ...) -> None: ...

class EnrolOrder(_message.Message):
    __slots__ = ("endpoint", "code")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    code: str
    def __init__(self, endpoint: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class IdentityState(_message.Message):
    __slots__ = ("enrolled", "node_id", "site_name", "sync_endpoint", "expires_unix_s", "issued_unix_s", "vendor_root", "director_root")
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SITE_NAME_FIELD_NUMBER: _ClassVar[int]
    SYNC_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    ISSUED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    VENDOR_ROOT_FIELD_NUMBER: _ClassVar[int]
    DIRECTOR_ROOT_FIELD_NUMBER: _ClassVar[int]
    enrolled: bool
    node_id: str
    site_name: str
    sync_endpoint: str
    expires_unix_s: int
    issued_unix_s: int
    vendor_root: bytes
    director_root: bytes
    def __init__(self, enrolled: _Optional[bool] = ..., node_id: _Optional[str] = ..., site_name: _Optional[str] = ..., sync_endpoint: _Optional[str] = ..., expires_unix_s: _Optional[int] = ..., issued_unix_s: _Optional[int] = ..., vendor_root: _Optional[bytes] = ..., director_root: _Optional[bytes] = ...) -> None: ...

class LinkUp(_message.Message):
    __slots__ = ("link",)
    LINK_FIELD_NUMBER: _ClassVar[int]
    link: int
    def __init__(self, link: _Optional[int] = ...) -> None: ...

class LinkDown(_message.Message):
    __slots__ = ("link", "reason")
    LINK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    link: int
    reason: str
    def __init__(self, link: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CloudFrame(_message.Message):
    __slots__ = ("link", "payload", "upload")
    LINK_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    link: int
    payload: bytes
    upload: bool
    def __init__(self, link: _Optional[int] = ..., payload: _Optional[bytes] = ..., upload: _Optional[bool] = ...) -> None: ...

class EnvelopeRefused(_message.Message):
    __slots__ = ("link", "envelope_id", "reason")
    LINK_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    link: int
    envelope_id: bytes
    reason: str
    def __init__(self, link: _Optional[int] = ..., envelope_id: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class CourierNumbers(_message.Message):
    __slots__ = ("instance", "bytes_by_kind", "refused_by_reason", "unexplained_bytes", "unexplained_unix_ms", "ledger")
    class BytesByKindEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class RefusedByReasonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    BYTES_BY_KIND_FIELD_NUMBER: _ClassVar[int]
    REFUSED_BY_REASON_FIELD_NUMBER: _ClassVar[int]
    UNEXPLAINED_BYTES_FIELD_NUMBER: _ClassVar[int]
    UNEXPLAINED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    instance: bytes
    bytes_by_kind: _containers.ScalarMap[str, int]
    refused_by_reason: _containers.ScalarMap[str, int]
    unexplained_bytes: int
    unexplained_unix_ms: int
    ledger: LedgerNumbers
    def __init__(self, instance: _Optional[bytes] = ..., bytes_by_kind: _Optional[_Mapping[str, int]] = ..., refused_by_reason: _Optional[_Mapping[str, int]] = ..., unexplained_bytes: _Optional[int] = ..., unexplained_unix_ms: _Optional[int] = ..., ledger: _Optional[_Union[LedgerNumbers, _Mapping]] = ...) -> None: ...

class LedgerNumbers(_message.Message):
    __slots__ = ("entries", "witnessed_entries", "witnessed_unix_s", "compared_unix_ms")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    WITNESSED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    WITNESSED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    COMPARED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    entries: int
    witnessed_entries: int
    witnessed_unix_s: int
    compared_unix_ms: int
    def __init__(self, entries: _Optional[int] = ..., witnessed_entries: _Optional[int] = ..., witnessed_unix_s: _Optional[int] = ..., compared_unix_ms: _Optional[int] = ...) -> None: ...

class EnrolResult(_message.Message):
    __slots__ = ("error_code", "detail", "remedy", "exit_code", "identity")
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    error_code: str
    detail: str
    remedy: str
    exit_code: int
    identity: IdentityState
    def __init__(self, error_code: _Optional[str] = ..., detail: _Optional[str] = ..., remedy: _Optional[str] = ..., exit_code: _Optional[int] = ..., identity: _Optional[_Union[IdentityState, _Mapping]] = ...) -> None: ...

class OverflowAttach(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OverflowState(_message.Message):
    __slots__ = ("ready", "reason")
    READY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    reason: str
    def __init__(self, ready: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class OverflowOrder(_message.Message):
    __slots__ = ("number", "envelope", "deadline_ms")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    number: int
    envelope: Envelope
    deadline_ms: int
    def __init__(self, number: _Optional[int] = ..., envelope: _Optional[_Union[Envelope, _Mapping]] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class OverflowCancel(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class OverflowEvent(_message.Message):
    __slots__ = ("number", "payload")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    number: int
    payload: bytes
    def __init__(self, number: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class OverflowFailed(_message.Message):
    __slots__ = ("number", "code")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    number: int
    code: str
    def __init__(self, number: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...

class FetchOrder(_message.Message):
    __slots__ = ("number", "envelope", "deadline_ms", "bytes_per_second")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    number: int
    envelope: Envelope
    deadline_ms: int
    bytes_per_second: int
    def __init__(self, number: _Optional[int] = ..., envelope: _Optional[_Union[Envelope, _Mapping]] = ..., deadline_ms: _Optional[int] = ..., bytes_per_second: _Optional[int] = ...) -> None: ...

class FetchPiece(_message.Message):
    __slots__ = ("number", "payload")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    number: int
    payload: bytes
    def __init__(self, number: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class FetchEnded(_message.Message):
    __slots__ = ("number", "code")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    number: int
    code: str
    def __init__(self, number: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...

class ProofOrder(_message.Message):
    __slots__ = ("envelope_ids", "since_unix_ms")
    ENVELOPE_IDS_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    envelope_ids: _containers.RepeatedScalarFieldContainer[bytes]
    since_unix_ms: int
    def __init__(self, envelope_ids: _Optional[_Iterable[bytes]] = ..., since_unix_ms: _Optional[int] = ...) -> None: ...

class ProvenLeaf(_message.Message):
    __slots__ = ("index", "entry", "proof")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    index: int
    entry: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, index: _Optional[int] = ..., entry: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Proofs(_message.Message):
    __slots__ = ("code", "log_key", "checkpoint", "leaves")
    CODE_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    code: str
    log_key: str
    checkpoint: bytes
    leaves: _containers.RepeatedCompositeFieldContainer[ProvenLeaf]
    def __init__(self, code: _Optional[str] = ..., log_key: _Optional[str] = ..., checkpoint: _Optional[bytes] = ..., leaves: _Optional[_Iterable[_Union[ProvenLeaf, _Mapping]]] = ...) -> None: ...
