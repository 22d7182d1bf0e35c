"""Runs on a lab host: a resolver that answers every A query with one address.

Arguments: the address to listen on, the address to answer.
"""

import socket
import struct
import sys


def main() -> None:
    listen, answer = sys.argv[1:3]
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((listen, 53))
        while True:
            data, peer = sock.recvfrom(4096)
            end = data.index(b"\0", 12) + 5
            kind = struct.unpack("!H", data[end - 4 : end - 2])[0]
            records = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(answer) if kind == 1 else b""
            sock.sendto(
                data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if records else 0, 0, 0) + data[12:end] + records, peer
            )


main()
