"""The program that ssh runs to ask a question (SSH_ASKPASS): passes it to the process that started ssh.

Standard library only, run by its path. ``argv``: the socket to ask at, the question.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(path: str, text: str) -> int:
    """Print the answer; 1 if there is none."""
    request = {"text": text, "kind": os.environ.get("SSH_ASKPASS_PROMPT", "")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.connect(path)
        asked.sendall(json.dumps(request).encode())
        asked.shutdown(socket.SHUT_WR)
        data = b""
        while more := asked.recv(65536):
            data += more
    answer = json.loads(data)["answer"] if data else None
    if answer is None:
        return 1
    sys.stdout.write(f"{answer}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
