"""The roots that came with the enrolment, kept once: then only roots that they sign, or a person, replace them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder, write_atomic

log = logging.getLogger(__name__)

_ENROLLED_AS: Final = "enrolled-as"


def pin_roots(folder: Path, node_id: str, vendor: bytes, director: bytes) -> None:
    """Keep the roots of the enrolment as `node_id`, if that is a new one; empty: it brought none. Raises OSError.

    The organisation's root stays, whoever the site enrols with; the control plane's is that of the newest enrolment.
    """
    marker = folder / _ENROLLED_AS
    if not (vendor and director) or (marker.exists() and marker.read_text() == node_id):
        return
    # Here, because the library is nothing that a node without updates should carry.
    from edge.updates.trust import keep_root, root_file

    private_folder(folder)
    try:
        keep_root(folder, "director", director)
        if not root_file(folder, "vendor").exists():
            keep_root(folder, "vendor", vendor)
        elif root_file(folder, "vendor").read_bytes() != vendor:
            log.warning("the control plane has another organisation's root; the site's own stays")
    except PosternError as error:
        log.error("the roots of the enrolment cannot be used", extra={"code": error.code})
        return
    write_atomic(marker, node_id.encode())
