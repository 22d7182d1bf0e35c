"""A static ELF executable made of machine code: header, two program headers, code. Pure.

The code is the assembled ``amd64.s`` and ``arm64.s`` beside this file; a test assembles them and compares.
"""

from __future__ import annotations

import struct
from typing import Final

_AMD64: Final = (
    "b80e00000031ff488d355a00000031d241ba080000000f05"  # block the three signals
    "b880000000488d3d4400000031f631d241ba080000000f05"  # wait: take one of them
    "83f811740c83f80f742583f8027420ebd7"  # which one
    "b83d00000048c7c7ffffffff31f6ba010000004531d20f0585c07fe4ebb9"  # reap
    "b8e700000031ff0f05"  # exit
    "0240010000000000"  # mask
)
_ARM64: Final = (
    "e81080d2000080d2c1030010020080d2030180d2010000d4"  # block the three signals
    "281180d220030010010080d2020080d2030180d2010000d4"  # wait: take one of them
    "1f440071c00000541f3c0071a00100541f08007160010054f4ffff17"  # which one
    "882080d200008092010080d2220080d2030080d2010000d41f0000712cffff54ebffff17"  # reap
    "c80b80d2000080d2010000d41f2003d5"  # exit
    "0240010000000000"  # mask
)
CODE: Final[dict[str, bytes]] = {"amd64": bytes.fromhex(_AMD64), "arm64": bytes.fromhex(_ARM64)}

MACHINES: Final[dict[str, int]] = {"amd64": 62, "arm64": 183}
"""Go's name of an architecture → e_machine of its ELF files."""

_BASE: Final = 0x400000
_EHDR, _PHDR = 64, 56
_PT_LOAD, _PT_INTERP, _PT_GNU_STACK = 1, 3, 0x6474E551
_RW, _RX = 6, 5


def pause_binary(arch: str) -> bytes:
    """The executable for ``amd64`` or ``arm64``: one read-only, executable segment and a non-executable stack."""
    code = CODE[arch]
    headers = _EHDR + 2 * _PHDR
    size = headers + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    # type EXEC, machine, version, entry, program headers, section headers, flags, and the sizes and counts of both
    ehdr = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, MACHINES[arch], 1, _BASE + headers, _EHDR, 0, 0, _EHDR, _PHDR, 2, 64, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", _PT_LOAD, _RX, 0, _BASE, _BASE, size, size, 0x10000)
    stack = struct.pack("<IIQQQQQQ", _PT_GNU_STACK, _RW, 0, 0, 0, 0, 0, 16)
    return ehdr + load + stack + code


def elf_machine(head: bytes) -> str | None:
    """The architecture of an ELF file from its first 20 bytes; None if not 64-bit ELF or unknown."""
    if len(head) < 20 or head[:5] != b"\x7fELF\x02":
        return None
    (machine,) = struct.unpack_from("<H", head, 18)
    return next((arch for arch, number in MACHINES.items() if number == machine), None)


def elf_static(data: bytes) -> bool:
    """Whether a 64-bit ELF file is static: no program header names an interpreter."""
    if elf_machine(data[:20]) is None or len(data) < _EHDR:
        return False
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    ends = start + size * count
    return (
        size >= _PHDR
        and ends <= len(data)
        and _PT_INTERP not in {struct.unpack_from("<I", data, at)[0] for at in range(start, ends, size)}
    )
