"""A real CoreDNS on loopback, built from its Go module; the result is kept with the builds of bundles."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from rancherctl.bundle.sources.gobuild import Recipe
from rancherctl.bundle.sources.modules import build, find_go
from rancherctl.events import ignore
from rancherctl.settings import load
from tests.fakes.ports import free_port

VERSION = "1.15.0"
MODULE = Path(__file__).resolve().parents[1] / "bench" / "modules" / "coredns" / VERSION
COREFILE = """\
.:PORT {
    bind 127.0.0.1
    errors
    ready 127.0.0.1:READY
    kubernetes DOMAIN in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG t
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
CACHE}
"""
"""The configuration of kubeadm without what concerns its pod, and without upstreams: there are none."""
CACHE = """\
    cache 30 {
        disable success DOMAIN
        disable denial DOMAIN
    }
"""
"""As kubeadm configures it: names of the cluster are not cached."""


def program() -> Path:
    """CoreDNS, built if it has not been. NotFoundError without Go."""
    recipe = Recipe("coredns", VERSION, MODULE, ("tool",), ("coredns",))
    cache = load({}).cache or load({}).dirs.cache
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    (found,) = build(recipe, arch, cache, ignore, find_go("CoreDNS is built from its Go module", "install Go"))
    return found.file


@contextmanager
def running(folder: Path, kubeconfig: Path, domain: str = "cluster.local", cache: str = CACHE) -> Iterator[str]:
    """Run it for the block; the value is ADDRESS:PORT. The context of the kubeconfig file is called ``t``."""
    port, ready = free_port(), free_port()
    text = COREFILE.replace("CACHE", cache).replace("DOMAIN", domain).replace("KUBECONFIG", str(kubeconfig))
    (folder / "Corefile").write_text(text.replace("PORT", str(port)).replace("READY", str(ready)))
    with (folder / "coredns.log").open("ab") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(program()), "-conf", str(folder / "Corefile")],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, port, domain, folder / "coredns.log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int, domain: str, log: Path) -> None:
    query = dns.message.make_query(f"kubernetes.default.svc.{domain}", "A")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if dns.query.udp(query, "127.0.0.1", port=port, timeout=1).rcode() == dns.rcode.NOERROR:
                return
        except (dns.exception.DNSException, OSError):
            time.sleep(0.1)  # before the port is open, asking again is the only way
    raise AssertionError(f"CoreDNS does not answer:\n{log.read_text(errors='replace')[-3000:]}")
