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
    __slots__ = ("generation", "generation_cancel", "preload", "health_query", "encoder_open", "encode")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_CANCEL_FIELD_NUMBER: _ClassVar[int]
    PRELOAD_FIELD_NUMBER: _ClassVar[int]
    HEALTH_QUERY_FIELD_NUMBER: _ClassVar[int]
    ENCODER_OPEN_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    generation: Generation
    generation_cancel: GenerationCancel
    preload: Preload
    health_query: HealthQuery
    encoder_open: EncoderOpen
    encode: Encode
    def __init__(self, generation: _Optional[_Union[Generation, _Mapping]] = ..., generation_cancel: _Optional[_Union[GenerationCancel, _Mapping]] = ..., preload: _Optional[_Union[Preload, _Mapping]] = ..., health_query: _Optional[_Union[HealthQuery, _Mapping]] = ..., encoder_open: _Optional[_Union[EncoderOpen, _Mapping]] = ..., encode: _Optional[_Union[Encode, _Mapping]] = ...) -> None: ...

class WorkerResponse(_message.Message):
    __slots__ = ("generation_delta", "generation_done", "generation_refused", "worker_health", "encoder_opened", "encoded", "encoded_part", "encode_refused")
    GENERATION_DELTA_FIELD_NUMBER: _ClassVar[int]
    GENERATION_DONE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_REFUSED_FIELD_NUMBER: _ClassVar[int]
    WORKER_HEALTH_FIELD_NUMBER: _ClassVar[int]
    ENCODER_OPENED_FIELD_NUMBER: _ClassVar[int]
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    ENCODED_PART_FIELD_NUMBER: _ClassVar[int]
    ENCODE_REFUSED_FIELD_NUMBER: _ClassVar[int]
    generation_delta: GenerationDelta
    generation_done: GenerationDone
    generation_refused: GenerationRefused
    worker_health: WorkerHealth
    encoder_opened: EncoderOpened
    encoded: Encoded
    encoded_part: EncodedPart
    encode_refused: EncodeRefused
    def __init__(self, generation_delta: _Optional[_Union[GenerationDelta, _Mapping]] = ..., generation_done: _Optional[_Union[GenerationDone, _Mapping]] = ..., generation_refused: _Optional[_Union[GenerationRefused, _Mapping]] = ..., worker_health: _Optional[_Union[WorkerHealth, _Mapping]] = ..., encoder_opened: _Optional[_Union[EncoderOpened, _Mapping]] = ..., encoded: _Optional[_Union[Encoded, _Mapping]] = ..., encoded_part: _Optional[_Union[EncodedPart, _Mapping]] = ..., encode_refused: _Optional[_Union[EncodeRefused, _Mapping]] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("id", "messages", "max_new_tokens", "deadline_ms", "stops", "caller", "program")
    ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    id: int
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    max_new_tokens: int
    deadline_ms: int
    stops: _containers.RepeatedScalarFieldContainer[str]
    caller: str
    program: bool
    def __init__(self, id: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., max_new_tokens: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., stops: _Optional[_Iterable[str]] = ..., caller: _Optional[str] = ..., program: _Optional[bool] = ...) -> None: ...

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
    __slots__ = ("id", "model")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    id: int
    model: str
    def __init__(self, id: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("state", "model", "runtime", "device", "waiting", "waiting_max", "detail", "pid", "id", "encoder_runtime", "encoder_device", "fallback")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    WAITING_MAX_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ENCODER_RUNTIME_FIELD_NUMBER: _ClassVar[int]
    ENCODER_DEVICE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    state: LlmState
    model: str
    runtime: str
    device: str
    waiting: int
    waiting_max: int
    detail: str
    pid: int
    id: int
    encoder_runtime: str
    encoder_device: str
    fallback: str
    def __init__(self, state: _Optional[_Union[LlmState, str]] = ..., model: _Optional[str] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ..., waiting: _Optional[int] = ..., waiting_max: _Optional[int] = ..., detail: _Optional[str] = ..., pid: _Optional[int] = ..., id: _Optional[int] = ..., encoder_runtime: _Optional[str] = ..., encoder_device: _Optional[str] = ..., fallback: _Optional[str] = ...) -> None: ...

class EncoderOpen(_message.Message):
    __slots__ = ("id", "model", "runtime", "device", "precision", "threads", "shapes")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    SHAPES_FIELD_NUMBER: _ClassVar[int]
    id: int
    model: str
    runtime: str
    device: str
    precision: str
    threads: int
    shapes: str
    def __init__(self, id: _Optional[int] = ..., model: _Optional[str] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., threads: _Optional[int] = ..., shapes: _Optional[str] = ...) -> None: ...

class EncoderOpened(_message.Message):
    __slots__ = ("id", "runtime", "device")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    id: int
    runtime: str
    device: str
    def __init__(self, id: _Optional[int] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ...) -> None: ...

class Encode(_message.Message):
    __slots__ = ("id", "rows", "tokens", "input_ids", "attention_mask", "want_states", "deadline_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    INPUT_IDS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_MASK_FIELD_NUMBER: _ClassVar[int]
    WANT_STATES_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    id: int
    rows: int
    tokens: int
    input_ids: bytes
    attention_mask: bytes
    want_states: bool
    deadline_ms: int
    def __init__(self, id: _Optional[int] = ..., rows: _Optional[int] = ..., tokens: _Optional[int] = ..., input_ids: _Optional[bytes] = ..., attention_mask: _Optional[bytes] = ..., want_states: _Optional[bool] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class Encoded(_message.Message):
    __slots__ = ("id", "dim", "data")
    ID_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: int
    dim: int
    data: bytes
    def __init__(self, id: _Optional[int] = ..., dim: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class EncodedPart(_message.Message):
    __slots__ = ("id", "data")
    ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: int
    data: bytes
    def __init__(self, id: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class EncodeRefused(_message.Message):
    __slots__ = ("id", "code", "detail")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    detail: str
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...
