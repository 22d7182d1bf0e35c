"""Runs on a host: queries DNS servers for a name over UDP and prints one line per query, until standard input closes.

Arguments: NAME PAUSE LIMIT SERVER… (seconds between two rounds, and to wait for a response).
A line: monotonic time, seconds, server, error ("" = success), addresses.
"""

import os
import select
import socket
import struct
import sys
import time

NAME, PAUSE, LIMIT, SERVERS = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]


def encode_query(number: int) -> bytes:
    labels = b"".join(bytes([len(p)]) + p.encode() for p in NAME.rstrip(".").split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def addresses(message: bytes, asked: int) -> list[str]:
    """The A records of a response to a query of ``asked`` bytes; names in its answers are compressed pointers."""
    at, found = asked, []
    for _ in range(struct.unpack_from(">H", message, 6)[0]):
        while message[at] and message[at] & 0xC0 != 0xC0:
            at += message[at] + 1
        at += 2 if message[at] else 1
        kind, _, _, length = struct.unpack_from(">HHIH", message, at)
        if kind == 1:
            found.append(socket.inet_ntoa(message[at + 10 : at + 14]))
        at += 10 + length
    return sorted(found)


def query(server: str, number: int) -> tuple[str, str]:
    sent = encode_query(number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect((server, 53))
            sock.send(sent)
            message = sock.recv(4096)
        except OSError as error:
            return str(error), ""
    code = message[3] & 15
    found = addresses(message, len(sent))
    return (f"rcode {code}" if code else "" if found else "no address"), ",".join(found)


number = 0
while not select.select([sys.stdin], [], [], PAUSE)[0] or os.read(0, 4096):
    for server in SERVERS:
        number = (number + 1) % 65536
        began = time.monotonic()
        error, found = query(server, number)
        print(f"{began:.6f}\t{time.monotonic() - began:.6f}\t{server}\t{error}\t{found}", flush=True)
