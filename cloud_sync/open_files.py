"""How many files and connections this process may have open."""

from __future__ import annotations

import resource


def raise_limit() -> int:
    """Raise the soft limit to the hard one; what it is then.

    Systems set it to 1,024 for programs that use select(), and a stream of a node is a file: a thousand nodes, the
    database and the console would be too many.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
