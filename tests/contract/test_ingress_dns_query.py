"""The minimal DNS client against a server on loopback."""

from __future__ import annotations

import socket
import threading

from rancherctl.ingress.role import dns_query
from tests.fakes.dns_answer import dns_answer


def test_a_truncated_answer_is_queried_again_over_tcp() -> None:
    """For a headless Service of dozens of pods, UDP brings nothing but the flag; that does not mean "no addresses"."""
    pods = [bytes([10, 0, 0, n]) for n in range(100)]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        tcp.listen(1)
        udp.settimeout(5)
        tcp.settimeout(5)

        def serve() -> None:
            query, client = udp.recvfrom(512)
            udp.sendto(dns_answer(query, code=0x0200), client)
            connection, _ = tcp.accept()
            with connection:
                query = connection.recv(512)[2:]
                whole = dns_answer(query, *((1, pod) for pod in pods))
                for piece in (
                    len(whole).to_bytes(2, "big")[:1],
                    len(whole).to_bytes(2, "big")[1:] + whole[:700],
                    whole[700:],
                ):
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        assert len(dns_query.lookup("pods.example.com", "127.0.0.1", port=udp.getsockname()[1])) == 100
        thread.join()


def test_names_are_queried_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)

        def serve() -> None:
            query, client = server.recvfrom(512)
            server.sendto(dns_answer(query, (1, bytes([198, 51, 100, 7]))), client)

        thread = threading.Thread(target=serve)
        thread.start()
        assert dns_query.lookup("ext.example.com", "127.0.0.1", port=server.getsockname()[1]) == ("198.51.100.7",)
        thread.join()
