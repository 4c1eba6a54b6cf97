from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChallengeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChallengeResponse(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    def __init__(self, nonce: _Optional[bytes] = ...) -> None: ...

class ReattestRequest(_message.Message):
    __slots__ = ("nonce", "certificate", "signature", "signing_request")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    certificate: bytes
    signature: bytes
    signing_request: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., certificate: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., signing_request: _Optional[bytes] = ...) -> None: ...

class ReattestResponse(_message.Message):
    __slots__ = ("renewed",)
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    renewed: RenewResponse
    def __init__(self, renewed: _Optional[_Union[RenewResponse, _Mapping]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("signing_request",)
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    signing_request: bytes
    def __init__(self, signing_request: _Optional[bytes] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("certificate_chain", "ca_certificates", "sync_endpoint", "overflow_endpoints")
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SYNC_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    certificate_chain: bytes
    ca_certificates: bytes
    sync_endpoint: str
    overflow_endpoints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, certificate_chain: _Optional[bytes] = ..., ca_certificates: _Optional[bytes] = ..., sync_endpoint: _Optional[str] = ..., overflow_endpoints: _Optional[_Iterable[str]] = ...) -> None: ...

class EnrolRequest(_message.Message):
    __slots__ = ("secret", "signing_request", "software_version")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    secret: str
    signing_request: bytes
    software_version: str
    def __init__(self, secret: _Optional[str] = ..., signing_request: _Optional[bytes] = ..., software_version: _Optional[str] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("node_id", "site_name", "certificate_chain", "ca_certificates", "sync_endpoint", "overflow_endpoints", "vendor_root", "director_root")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SITE_NAME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SYNC_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    VENDOR_ROOT_FIELD_NUMBER: _ClassVar[int]
    DIRECTOR_ROOT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    site_name: str
    certificate_chain: bytes
    ca_certificates: bytes
    sync_endpoint: str
    overflow_endpoints: _containers.RepeatedScalarFieldContainer[str]
    vendor_root: bytes
    director_root: bytes
    def __init__(self, node_id: _Optional[str] = ..., site_name: _Optional[str] = ..., certificate_chain: _Optional[bytes] = ..., ca_certificates: _Optional[bytes] = ..., sync_endpoint: _Optional[str] = ..., overflow_endpoints: _Optional[_Iterable[str]] = ..., vendor_root: _Optional[bytes] = ..., director_root: _Optional[bytes] = ...) -> None: ...
