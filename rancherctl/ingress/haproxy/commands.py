"""Commands for HAProxy's socket as values: the text, and which answers mean success. Pure.

Words are validated tokens; maps are filled by payloads of at most 7 KB, because HAProxy silently drops those above 16 KB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rancherctl.ingress.haproxy import render
from rancherctl.ingress.model import Server
from rancherctl.net import join_host_port

MAX_COMMAND = 8192
_PAYLOAD = 7000


@dataclass(frozen=True, slots=True)
class RuntimeCommand:
    """``text`` without the final newline; an answer is good when it is empty or starts with one of ``expect``."""

    text: str
    expect: tuple[str, ...] = ()

    def good(self, answer: str) -> bool:
        """Whether the (stripped) answer means that it was done."""
        return not answer or answer.startswith(self.expect) if self.expect else not answer


def _safe(word: str) -> str:
    """A key or value on its way to the socket: the last guard behind validation."""
    if not word or any(not 0x21 <= ord(c) < 0x7F or c in ";\\<" for c in word):
        raise ValueError(f"not a safe token for HAProxy's socket: {word!a}")
    return word


def point(pool: str, slot: str, server: Server) -> RuntimeCommand:
    """Give a slot another address."""
    text = f"set server {pool}/{slot} addr {_safe(server.address)} port {server.port}"
    return RuntimeCommand(text, ("IP changed", "port changed", "no need to change", "nothing changed"))


def switch(pool: str, slot: str, *, on: bool) -> RuntimeCommand:
    """Put a slot to work, or into maintenance: requests under way are finished, no new ones come."""
    return RuntimeCommand(f"set server {pool}/{slot} state {'ready' if on else 'maint'}")


def add_server(pool: str, slot: str, server: Server, seconds: int) -> tuple[RuntimeCommand, ...]:
    """A further slot at run time. It starts in maintenance with its checks off.

    It cannot have ``tcp-ut``: a request over a kept connection to a lost host would hang for minutes. So it keeps none between requests, as
    HAProxy 2.6 has it for such servers anyway.
    """
    text = f"add server {pool}/{slot} {join_host_port(*server)} {render.checks(seconds)} pool-max-conn 0"
    return (
        RuntimeCommand(text, ("New server registered",)),
        RuntimeCommand(f"enable health {pool}/{slot}"),
        switch(pool, slot, on=True),
    )


def add_entries(path: str, entries: Mapping[str, str]) -> Iterator[RuntimeCommand]:
    """New keys of a map, in as few payloads as the size limit allows."""
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
    """Another value for a key that is there."""
    return RuntimeCommand(f"set map {path} {_safe(key)} {_safe(value)}")


def delete_entries(path: str, keys: Iterable[str]) -> Iterator[RuntimeCommand]:
    """Remove keys."""
    for key in sorted(keys):
        yield RuntimeCommand(f"del map {path} {_safe(key)}")
