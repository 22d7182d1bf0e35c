"""Runs on a lab host: queries a server for one name as fast as it answers, and prints when the answer matched.

Arguments: server, name, A or AAAA, wanted text of an address ("" = the name does not exist), seconds. Prints
``ready`` first, then the wall clock. Standard library only: the host has nothing else.
"""

import os
import socket
import struct
import sys
import time


def ask(sock: socket.socket, name: str, kind: int) -> tuple[int, list[str]]:
    """(rcode, addresses) of one question; rcode -1 = no answer."""
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    sock.send(number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1))
    try:
        while (data := sock.recv(4096))[:2] != number:
            # A late answer to an earlier query: if it counted for this one, all later answers would be off by one.
            continue
    except (TimeoutError, ConnectionError):
        return -1, []
    count, at = struct.unpack("!H", data[6:8])[0], 12 + len(labels) + 1 + 4
    found = []
    for _ in range(count):
        while data[at] and data[at] < 0xC0:
            at += data[at] + 1
        at += 2 if data[at] >= 0xC0 else 1
        type_, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
        at += 10
        if type_ == kind:
            found.append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data[at : at + length]))
        at += length
    return data[3] & 15, found


def main() -> None:
    server, name, kind, wanted, seconds = sys.argv[1:6]
    print("ready", flush=True)
    until = time.monotonic() + float(seconds)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((server, 53))
        while time.monotonic() < until:
            try:
                rcode, found = ask(sock, name, 1 if kind == "A" else 28)
            except OSError:  # the address is missing yet, or nothing listens
                time.sleep(0.01)
                continue
            if (wanted in found and rcode == 0) if wanted else rcode == 3:
                print(f"{time.time():.6f}", flush=True)
                return
            time.sleep(0.002)
    sys.exit(f"{name} was not {wanted or 'gone'} within {seconds} s")


main()
