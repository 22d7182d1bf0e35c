"""Runs on a lab host: a resolver that answers every A query with one address.

Arguments: the address to listen on, the address to answer; the port (53), seconds before each answer (0), TTL (60).
"""

import socket
import struct
import sys
import time


def main() -> None:
    given = sys.argv[1:]
    listen, answer, port, delay, ttl = (*given, *("", "", "53", "0", "60")[len(given) :])
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((listen, int(port)))
        while True:
            data, peer = sock.recvfrom(4096)
            time.sleep(float(delay))
            end = data.index(b"\0", 12) + 5
            kind = struct.unpack("!H", data[end - 4 : end - 2])[0]
            record = struct.pack("!HHHIH", 0xC00C, 1, 1, int(ttl), 4) + socket.inet_aton(answer)
            records = record if kind == 1 else b""
            sock.sendto(
                data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if records else 0, 0, 0) + data[12:end] + records, peer
            )


main()
