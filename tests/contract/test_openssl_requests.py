"""Requests made by the openssl of a host are parsed as they were ordered: the agent renews with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rancherctl.agents import pkcs10


def test_a_request_of_openssl_is_parsed(tmp_path: Path) -> None:
    words = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-keyout", str(tmp_path / "key"), "-subj", "/O=system:nodes/CN=system:node:h1"]
    words += ["-addext", "subjectAltName=DNS:h1,IP:10.77.0.11,URI:https://h1"]
    pem = subprocess.run(words, check=True, capture_output=True).stdout
    found = pkcs10.parse(pem.decode())
    assert (found.common_name, found.organizations) == ("system:node:h1", ("system:nodes",))
    assert (found.dns, found.ips) == ({"h1"}, {"10.77.0.11"})
    assert found.other_names
    assert not found.other_parts
