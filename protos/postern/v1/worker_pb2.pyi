from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENERATION_END_UNSPECIFIED: _ClassVar[GenerationEnd]
    GENERATION_END_STOP: _ClassVar[GenerationEnd]
    GENERATION_END_LENGTH: _ClassVar[GenerationEnd]
    GENERATION_END_CANCELLED: _ClassVar[GenerationEnd]
    GENERATION_END_DEADLINE: _ClassVar[GenerationEnd]

class LlmState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LLM_STATE_UNSPECIFIED: _ClassVar[LlmState]
    LLM_STATE_COLD: _ClassVar[LlmState]
    LLM_STATE_LOADING: _ClassVar[LlmState]
    LLM_STATE_READY: _ClassVar[LlmState]
    LLM_STATE_FAILED: _ClassVar[LlmState]
GENERATION_END_UNSPECIFIED: GenerationEnd
GENERATION_END_STOP: GenerationEnd
GENERATION_END_LENGTH: GenerationEnd
GENERATION_END_CANCELLED: GenerationEnd
GENERATION_END_DEADLINE: GenerationEnd
LLM_STATE_UNSPECIFIED: LlmState
LLM_STATE_COLD: LlmState
LLM_STATE_LOADING: LlmState
LLM_STATE_READY: LlmState
LLM_STATE_FAILED: LlmState

class WorkerRequest(_message.Message):
    __slots__ = ("generation", "generation_cancel", "preload", "health_query")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_CANCEL_FIELD_NUMBER: _ClassVar[int]
    PRELOAD_FIELD_NUMBER: _ClassVar[int]
    HEALTH_QUERY_FIELD_NUMBER: _ClassVar[int]
    generation: Generation
    generation_cancel: GenerationCancel
    preload: Preload
    health_query: HealthQuery
    def __init__(self, generation: _Optional[_Union[Generation, _Mapping]] = ..., generation_cancel: _Optional[_Union[GenerationCancel, _Mapping]] = ..., preload: _Optional[_Union[Preload, _Mapping]] = ..., health_query: _Optional[_Union[HealthQuery, _Mapping]] = ...) -> None: ...

class WorkerResponse(_message.Message):
    __slots__ = ("generation_delta", "generation_done", "generation_refused", "worker_health")
    GENERATION_DELTA_FIELD_NUMBER: _ClassVar[int]
    GENERATION_DONE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_REFUSED_FIELD_NUMBER: _ClassVar[int]
    WORKER_HEALTH_FIELD_NUMBER: _ClassVar[int]
    generation_delta: GenerationDelta
    generation_done: GenerationDone
    generation_refused: GenerationRefused
    worker_health: WorkerHealth
    def __init__(self, generation_delta: _Optional[_Union[GenerationDelta, _Mapping]] = ..., generation_done: _Optional[_Union[GenerationDone, _Mapping]] = ..., generation_refused: _Optional[_Union[GenerationRefused, _Mapping]] = ..., worker_health: _Optional[_Union[WorkerHealth, _Mapping]] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("id", "messages", "max_new_tokens", "deadline_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    id: int
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    max_new_tokens: int
    deadline_ms: int
    def __init__(self, id: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., max_new_tokens: _Optional[int] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class GenerationCancel(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class Preload(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class HealthQuery(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GenerationDelta(_message.Message):
    __slots__ = ("id", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: int
    text: str
    def __init__(self, id: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class GenerationDone(_message.Message):
    __slots__ = ("id", "end", "prompt_tokens", "new_tokens")
    ID_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    id: int
    end: GenerationEnd
    prompt_tokens: int
    new_tokens: int
    def __init__(self, id: _Optional[int] = ..., end: _Optional[_Union[GenerationEnd, str]] = ..., prompt_tokens: _Optional[int] = ..., new_tokens: _Optional[int] = ...) -> None: ...

class GenerationRefused(_message.Message):
    __slots__ = ("id", "code", "detail", "retry_after_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    detail: str
    retry_after_ms: int
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class WorkerHealth(_message.Message):
    __slots__ = ("state", "model", "runtime", "device", "waiting", "waiting_max", "detail", "pid", "id")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    WAITING_MAX_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    state: LlmState
    model: str
    runtime: str
    device: str
    waiting: int
    waiting_max: int
    detail: str
    pid: int
    id: int
    def __init__(self, state: _Optional[_Union[LlmState, str]] = ..., model: _Optional[str] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ..., waiting: _Optional[int] = ..., waiting_max: _Optional[int] = ..., detail: _Optional[str] = ..., pid: _Optional[int] = ..., id: _Optional[int] = ...) -> None: ...
