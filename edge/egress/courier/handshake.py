"""Why no link came about: the handshake once more, with Python's own TLS, which says what gRPC does not.

Only after gRPC's has failed, and part of the attempt that the ledger has a leaf of. Nothing but the handshake is sent,
and no certificate of ours: if the other end shows a good one, it is ours that was refused.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from edge.egress.courier import proxy
from edge.egress.reconciliation import own_traffic

REFUSED: Final = "refused"
"""The other end is our control plane; it did not accept this site's certificate."""

NOT_TLS: Final = "peer_not_tls"
"""The other end speaks plain text, a TLS of before 1.2, or something else."""

UNKNOWN: Final = "peer_unknown"
"""Its certificate is not of the authority that this site was enrolled with: another's, self-signed, damaged, or that of
a proxy which opens TLS to look inside."""

# X509_verify_cert's errors, as OpenSSL numbers them (x509_vfy.h).
_PEERS: Final = {
    9: "peer_not_yet_valid",
    10: "peer_expired",
    26: "peer_wrong_use",
    62: "peer_other_name",
}
DIAGNOSIS_TIMEOUT_S: Final = 5.0
PIECE_BYTES: Final = 16_384
"""Of a handshake, read at once: as a record of TLS."""


async def why_refused(endpoint: str, roots_pem: bytes, target_name: str) -> str:
    """What was wrong, as a short code: one of those above, or of `edge.egress.courier.proxy`."""
    host, _, port = endpoint.rpartition(":")
    own_traffic.attempted()
    own_traffic.connecting()
    try:
        context = _context(roots_pem)
        async with asyncio.timeout(DIAGNOSIS_TIMEOUT_S):
            await shake_hands(host.strip("[]"), int(port), context, target_name)
    except ssl.SSLCertVerificationError as error:
        return _PEERS.get(error.verify_code, UNKNOWN)
    except proxy.NoWay as error:
        return error.reason
    except TimeoutError:
        return proxy.UNREACHABLE
    except (OSError, ValueError):  # ssl.SSLError is an OSError: what came is not TLS, or nothing came
        return NOT_TLS
    return REFUSED


async def shake_hands(host: str, port: int, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """What a handshake with `name` at that address came to, and no more. Raises NoWay, OSError, of which ssl.SSLError.

    By hand: asyncio (3.11.7) loses the errors of TLS inside of TLS, and the way may be a proxy's.
    """
    reader, writer = await proxy.open_way(host, port)
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(came, goes, server_hostname=name)
    try:
        while True:
            try:
                tls.do_handshake()
                return tls
            except ssl.SSLWantReadError:
                writer.write(goes.read())
            piece = await reader.read(PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("no handshake came")
            came.write(piece)
    finally:
        writer.write(goes.read())  # its end, or what was wrong
        writer.close()


def _context(roots_pem: bytes) -> ssl.SSLContext:
    """What gRPC asks of the other end: TLS 1.2 at least, the authority, the name, and HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=roots_pem.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    return context
