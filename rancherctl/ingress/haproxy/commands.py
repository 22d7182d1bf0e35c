"""Commands for HAProxy's socket as values: the text, and which answers mean success. Pure.

All words are validated tokens. Maps are filled by payloads of at most 7 KB, because HAProxy silently drops payloads
above 16 KB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rancherctl.ingress.haproxy.profile_text import server_words
from rancherctl.ingress.model import Server
from rancherctl.ingress.options import RouteOptions
from rancherctl.net import join_host_port

MAX_COMMAND = 8192
MAX_CERTIFICATE_COMMAND = 31_000
"""Commands with a certificate: ``tune.bufsize`` is 32 KB."""
_PAYLOAD = 7000


@dataclass(frozen=True, slots=True)
class RuntimeCommand:
    """``text`` has no final newline; ``expect`` lists the beginnings of answers that mean success.

    An empty answer means success, too.
    """

    text: str
    expect: tuple[str, ...] = ()

    def accepts(self, answer: str) -> bool:
        """Whether the answer, stripped, means success."""
        return not answer or answer.startswith(self.expect) if self.expect else not answer


def _safe(word: str) -> str:
    """Check a key or value for the socket: a second check behind validation."""
    if not word or any(not 0x21 <= ord(c) < 0x7F or c in ";\\<" for c in word):
        raise ValueError(f"not a safe token for HAProxy's socket: {word!a}")
    return word


def point(pool: str, slot: str, server: Server) -> RuntimeCommand:
    """Give a slot another server."""
    text = f"set server {pool}/{slot} addr {_safe(server.address)} port {server.port}"
    return RuntimeCommand(text, ("IP changed", "port changed", "no need to change", "nothing changed"))


def switch(pool: str, slot: str, *, on: bool) -> RuntimeCommand:
    """Enable a slot, or put it into maintenance: it finishes its requests and gets no new ones."""
    return RuntimeCommand(f"set server {pool}/{slot} state {'ready' if on else 'maint'}")


def add_server(pool: str, slot: str, server: Server, seconds: int, options: RouteOptions) -> tuple[RuntimeCommand, ...]:
    """Add a slot at run time. It starts in maintenance, with its checks off.

    It cannot have ``tcp-ut``: a request on an idle connection to a lost host would hang for minutes. So it keeps no
    idle connections, which is also what HAProxy 2.6 does for such servers.
    """
    words = server_words(options, seconds)
    text = f"add server {pool}/{slot} {join_host_port(*server)} {words} pool-max-conn 0"
    return (
        RuntimeCommand(text, ("New server registered",)),
        RuntimeCommand(f"enable health {pool}/{slot}"),
        switch(pool, slot, on=True),
    )


def add_entries(path: str, entries: Mapping[str, str]) -> Iterator[RuntimeCommand]:
    """Add keys to a map, in as few payloads as the size limit allows."""
    lines: list[str] = []
    size = 0
    for key, value in sorted(entries.items()):
        line = f"{_safe(key)} {_safe(value)}"
        if lines and size + len(line) + 1 > _PAYLOAD:
            yield _payload(path, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield _payload(path, lines)


def _payload(path: str, lines: list[str]) -> RuntimeCommand:
    return RuntimeCommand(f"add map {path} <<\n" + "\n".join(lines) + "\n")


def set_entry(path: str, key: str, value: str) -> RuntimeCommand:
    """Change the value of an existing key."""
    return RuntimeCommand(f"set map {path} {_safe(key)} {_safe(value)}")


def delete_entries(path: str, keys: Iterable[str]) -> Iterator[RuntimeCommand]:
    """Remove keys."""
    for key in sorted(keys):
        yield RuntimeCommand(f"del map {path} {_safe(key)}")


def add_line(crt_list: str, line: str) -> RuntimeCommand:
    """Add a line (render.crt_line) to the crt-list."""
    names = line.split()
    return RuntimeCommand(
        f"add ssl crt-list {crt_list} <<\n{' '.join(map(_safe, names))}\n", ("Inserting certificate",)
    )


def delete_line(crt_list: str, file: str, number: int = 0) -> RuntimeCommand:
    """Delete a line of a certificate's file from the crt-list.

    ``number`` says which one if there are several; ``show ssl crt-list -n`` gives it.
    """
    which = f"{_safe(file)}:{number}" if number else _safe(file)
    return RuntimeCommand(f"del ssl crt-list {crt_list} {which}", ("Entry",))
