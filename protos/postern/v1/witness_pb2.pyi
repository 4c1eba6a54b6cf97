from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AddCheckpointRequest(_message.Message):
    __slots__ = ("old_size", "proof", "checkpoint", "log_key")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: bytes
    log_key: bytes
    def __init__(self, old_size: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[bytes] = ..., log_key: _Optional[bytes] = ...) -> None: ...

class AddCheckpointResponse(_message.Message):
    __slots__ = ("cosignature", "conflict_size", "refused", "witness_vkey")
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_SIZE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    WITNESS_VKEY_FIELD_NUMBER: _ClassVar[int]
    cosignature: str
    conflict_size: int
    refused: str
    witness_vkey: str
    def __init__(self, cosignature: _Optional[str] = ..., conflict_size: _Optional[int] = ..., refused: _Optional[str] = ..., witness_vkey: _Optional[str] = ...) -> None: ...
