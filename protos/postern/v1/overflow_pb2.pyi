from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OverflowFinish(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERFLOW_FINISH_UNSPECIFIED: _ClassVar[OverflowFinish]
    OVERFLOW_FINISH_STOP: _ClassVar[OverflowFinish]
    OVERFLOW_FINISH_LENGTH: _ClassVar[OverflowFinish]
OVERFLOW_FINISH_UNSPECIFIED: OverflowFinish
OVERFLOW_FINISH_STOP: OverflowFinish
OVERFLOW_FINISH_LENGTH: OverflowFinish

class GenerateRequest(_message.Message):
    __slots__ = ("messages", "max_new_tokens", "patience_ms")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_MS_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[OverflowMessage]
    max_new_tokens: int
    patience_ms: int
    def __init__(self, messages: _Optional[_Iterable[_Union[OverflowMessage, _Mapping]]] = ..., max_new_tokens: _Optional[int] = ..., patience_ms: _Optional[int] = ...) -> None: ...

class OverflowMessage(_message.Message):
    __slots__ = ("role", "pieces")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PIECES_FIELD_NUMBER: _ClassVar[int]
    role: str
    pieces: _containers.RepeatedCompositeFieldContainer[OverflowPiece]
    def __init__(self, role: _Optional[str] = ..., pieces: _Optional[_Iterable[_Union[OverflowPiece, _Mapping]]] = ...) -> None: ...

class OverflowPiece(_message.Message):
    __slots__ = ("text", "published")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    text: str
    published: bool
    def __init__(self, text: _Optional[str] = ..., published: _Optional[bool] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("delta", "restart", "end", "denial")
    DELTA_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    delta: OverflowDelta
    restart: OverflowRestart
    end: OverflowEnd
    denial: OverflowDenial
    def __init__(self, delta: _Optional[_Union[OverflowDelta, _Mapping]] = ..., restart: _Optional[_Union[OverflowRestart, _Mapping]] = ..., end: _Optional[_Union[OverflowEnd, _Mapping]] = ..., denial: _Optional[_Union[OverflowDenial, _Mapping]] = ...) -> None: ...

class OverflowDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class OverflowRestart(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OverflowEnd(_message.Message):
    __slots__ = ("finish", "provider", "prompt_tokens", "new_tokens")
    FINISH_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    finish: OverflowFinish
    provider: str
    prompt_tokens: int
    new_tokens: int
    def __init__(self, finish: _Optional[_Union[OverflowFinish, str]] = ..., provider: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., new_tokens: _Optional[int] = ...) -> None: ...

class OverflowDenial(_message.Message):
    __slots__ = ("code", "retry_after_ms", "types")
    CODE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    code: str
    retry_after_ms: int
    types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., types: _Optional[_Iterable[str]] = ...) -> None: ...
