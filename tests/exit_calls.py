"""Which modules of ours can open a connection, found in their source: calls, and names handed on, through aliases."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("edge", "core", "models")

OPENERS: Final = frozenset(
    {
        "aiohttp.ClientSession",
        "aiohttp.TCPConnector",
        "aiohttp.request",
        "aiohttp.web.SockSite",
        "aiohttp.web.TCPSite",
        "aiohttp.web.run_app",
        "aiosmtplib.SMTP",
        "aiosmtplib.send",
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
        "asyncio.open_connection",
        "asyncio.start_server",
        "grpc.aio.insecure_channel",
        "grpc.aio.secure_channel",
        "grpc.insecure_channel",
        "grpc.secure_channel",
        "logging.handlers.DatagramHandler",
        "logging.handlers.HTTPHandler",
        "logging.handlers.SMTPHandler",
        "logging.handlers.SocketHandler",
        "logging.handlers.SysLogHandler",
        "multiprocessing.connection.Client",
        "os.popen",
        "os.system",
        "paho.mqtt.client.Client",
        "prometheus_client.push_to_gateway",
        "prometheus_client.pushadd_to_gateway",
        "prometheus_client.start_http_server",
        "pty.spawn",
        "socket.create_connection",
        "socket.create_server",
        "socket.fromfd",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.gethostbyname_ex",
        "socket.getnameinfo",
        "socket.socket",
        "socket.socketpair",
        "ssl.get_server_certificate",
        "subprocess.Popen",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.run",
        "torch.hub.load",
        "trafilatura.fetch_response",
        "trafilatura.fetch_url",
        "webbrowser.open",
        "zeroconf.Zeroconf",
        "zeroconf.asyncio.AsyncZeroconf",
        # What the modules of `exits.MEANS` are for.
        "core.local_http.judged_connector",
        "edge.egress.courier.cloud_channel.open_channel",
        "edge.egress.courier.cloud_channel.open_site_channel",
        "edge.egress.courier.cloud_channel.opened_channel",
        "edge.egress.courier.cloud_channel.unreachable_because",
        "edge.egress.courier.handshake.shake_hands",
        "edge.egress.courier.handshake.why_refused",
        "edge.egress.courier.proxy.grpc_target",
        "edge.egress.courier.proxy.open_way",
        "edge.fabric.client.new_client",
    }
)

OPENING_METHODS: Final = frozenset(
    {
        "connect_async",
        "create_datagram_endpoint",
        "getaddrinfo",
        "getnameinfo",
        "sendmsg",
        "sendto",
        "sock_connect",
        "sock_sendto",
        "subprocess_exec",
        "subprocess_shell",
    }
)
"""Of an event loop, a socket or a client, whatever it is called."""

OPENING_CALLS: Final = frozenset({"create_connection", "create_server"})
"""The same, of names that others may have, too: as methods of what a call or a `loop` gives."""

OPENING_PREFIXES: Final = ("os.exec", "os.spawn", "os.posix_spawn")

OPENING_MODULES: Final = (
    "asyncssh",
    "boto3",
    "ftplib",
    "http.client",
    "http.server",
    "httpx",
    "huggingface_hub",
    "imaplib",
    "nntplib",
    "paramiko",
    "poplib",
    "psycopg",
    "pycurl",
    "redis",
    "requests",
    "smtplib",
    "socketserver",
    "telnetlib",
    "tuf.ngclient.fetcher",
    "tuf.ngclient.requests_fetcher",
    "tuf.ngclient.urllib3_fetcher",
    "urllib.request",
    "urllib3",
    "websocket",
    "websockets",
    "wsgiref",
    "xmlrpc",
)
"""Whoever imports one of these can open a connection."""

_BY_PACKAGE: Final = frozenset((name.partition(".")[0], name.rpartition(".")[2]) for name in OPENERS)
"""First and last part: a library has some of its names in several of its modules."""

_METHODS: Final = OPENING_METHODS | OPENING_CALLS
_OF_OS: Final = re.compile(r"\bos\.(?:exec|spawn|posix_spawn)|\bfrom os import|\bimport os as")
_IMPORTS: Final = re.compile(
    r"^\s*(?:import|from)\s+(?:" + "|".join(module.partition(".")[0] for module in OPENING_MODULES) + r")\b",
    re.M,
)


_OF_OTHERS: Final = frozenset((package, leaf) for package, leaf in _BY_PACKAGE if package not in PACKAGES)


def may_open(source: str) -> bool:
    """False for most: not every file need be parsed."""
    return bool(
        any(method in source for method in _METHODS)
        or _OF_OS.search(source)
        or _IMPORTS.search(source)
        or any(leaf in source and package in source for package, leaf in _BY_PACKAGE)
    )


def openings() -> dict[str, set[str]]:
    """Dotted name of each module that can, and by what."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            source = path.read_text(encoding="utf-8")
            if may_open(source) and (by := openings_in(source, name)):
                found[name] = by
    return found


def openings_in(source: str, module: str = "") -> set[str]:
    """What in `source`, of the module of that name, can open a connection."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    found = {name for name in _imported(tree) if _of_opening_module(name)}
    own = {f"{module}.{name}" for name in _defined(tree)}
    for node in _outside_annotations(tree):
        name = _dotted(node, aliases)
        if name is None:
            continue
        leaf = name.rpartition(".")[2]
        by_method = isinstance(node, ast.Attribute) and (
            leaf in OPENING_METHODS or (leaf in OPENING_CALLS and name.startswith(("?.", "loop.", "self.")))
        )
        known = (
            "." in name and (name in OPENERS or (name.partition(".")[0], leaf) in _OF_OTHERS)
        ) or name.startswith(OPENING_PREFIXES)
        if (known or by_method) and name not in own:
            found.add(name)
    return found - {"socket.socket"} if _only_unix_sockets(tree, aliases) else found


def _of_opening_module(name: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in OPENING_MODULES)


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name means."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                first = one.name.partition(".")[0]
                found[one.asname or first] = one.name if one.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _outside_annotations(tree: ast.AST) -> Iterator[ast.AST]:
    """Names but those of types: that a client is handed to a function opens nothing there."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if name not in ("annotation", "returns"):
                left += [
                    child
                    for child in (value if isinstance(value, list) else [value])
                    if isinstance(child, ast.AST)
                ]


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str | None:
    """`a.b.c` with `a` as it was imported; `?` for what is no name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(aliases.get(node.id, node.id))
    elif parts:
        parts.append("?")
    return ".".join(reversed(parts)) or None


def _only_unix_sockets(tree: ast.Module, aliases: dict[str, str]) -> bool:
    """Whether each `socket.socket` is made with AF_UNIX, written out, and none is handed on."""
    named = [n for n in _outside_annotations(tree) if _dotted(n, aliases) == "socket.socket"]
    made = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _dotted(node.func, aliases) == "socket.socket"
        and node.args
        and _dotted(node.args[0], aliases) == "socket.AF_UNIX"
    ]
    return bool(named) and len(made) == len(named)
