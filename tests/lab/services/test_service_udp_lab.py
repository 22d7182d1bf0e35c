"""UDP clients that send while a Service is published, with kube-proxy of two versions of Kubernetes."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rancherctl.bundle.sources import modules
from rancherctl.bundle.sources.gobuild import recipes
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import RancherctlError
from rancherctl.lab import access
from rancherctl.settings import load
from scripts.prepare import quiet
from tests.lab.measures import Measure
from tests.lab.services.lb_services import echo, endpoint, published, udp
from tests.lab.support import Environment, until
from tests.lab.traffic import ServiceWatch

OLDEST = "1.34.4"
UNIT = "rancherctl-kube-proxy"
PAUSE = 0.1


@dataclass
class Sender:
    """One UDP socket that sends a number every PAUSE seconds: ``sent`` and ``answered`` have the moments."""

    address: str
    port: int
    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PAUSE)
            client.connect((self.address, self.port))
            while not stop.wait(PAUSE):
                number = len(self.sent)
                self.sent[number] = time.monotonic()
                try:
                    client.send(str(number).encode())
                    while True:
                        self.answered[int(client.recv(99).split()[0])] = time.monotonic()
                except OSError:
                    continue  # refused, or nothing more to read


@contextmanager
def sending(address: str, port: int) -> Iterator[Sender]:
    sender, stop = Sender(address, port), threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        stop.set()
        thread.join(30)


def built(version: str) -> Path:
    """kube-proxy of another version, built from its pinned module; skips without a Go that can do so."""
    recipe = next(r for r in recipes(versions_for(version)) if r.component == "kubernetes")
    only = replace(recipe, packages=("k8s.io/kubernetes/cmd/kube-proxy",), names=("kube-proxy",))
    settings = load({})
    try:
        (program,) = modules.build(only, "amd64", settings.cache or settings.dirs.cache, quiet, modules.find_go())
    except RancherctlError as error:
        pytest.skip(f"kube-proxy {version} cannot be built here: {error}")
    return program.file


@contextmanager
def kube_proxy(env: Environment, host: str, version: str) -> Iterator[None]:
    """Let a host run kube-proxy of this version; an older one than the API's is supported."""
    if version == DEFAULT:
        yield
        return
    folder, program = f"/run/systemd/system/{UNIT}.service.d", "/run/kube-proxy-test"
    copy = access.ssh_argv(env.lab.paths, env.lab.lab.host(host), f"cat > {program}")
    with built(version).open("rb") as file:
        subprocess.run(copy, stdin=file, check=True, timeout=120)
    config = env.ssh(host, f"systemctl cat {UNIT} | grep -o -- '--config=[^ ]*' | head -n 1").strip()
    lines = f"[Service]\\nExecStart=\\nExecStart={program} {config}\\n"
    env.ssh(host, f"chmod 755 {program}; mkdir -p {folder}; printf '{lines}' > {folder}/test.conf")
    env.ssh(host, f"systemctl daemon-reload; systemctl restart {UNIT}")
    try:
        until("the other version", lambda: f"v{version}" in env.ssh(host, "curl -sS http://127.0.0.1:10249/version"))
        yield
    finally:
        env.ssh(host, f"rm -r {folder} {program}; systemctl daemon-reload; systemctl restart {UNIT}")


@pytest.mark.parametrize("version", [DEFAULT, pytest.param(OLDEST, marks=pytest.mark.slow)])
def test_a_udp_client_that_sends_all_the_time_is_answered_once_its_service_is_published(
    shared: Environment, web: str, version: str, measure: Measure
) -> None:
    """Case 77: connection tracking knows the client from before, untranslated; its next packet is answered."""
    serving, asked = shared.lab.hosts()[-1], shared.lab.hosts()[1]
    name, port = f"udp-{version.replace('.', '-')}", 8501
    with (
        kube_proxy(shared, asked.name, version),
        echo(shared, serving.name, 9180),
        sending(asked.address, port) as sender,
    ):
        until("it is sending", lambda: len(sender.sent) > 10)
        assert not sender.answered
        shared.apply(
            udp(web, name, port, 9180, loadBalancerIP=asked.address),
            endpoint(web, name, {"name": "echo", "protocol": "UDP", "port": 9180}, serving.address, serving.name),
        )
        with ServiceWatch(shared, web, name) as watch:
            assert published(shared, web, name, 1) == [asked.address]
            seen = watch.wait(lambda s: s.addresses == (asked.address,))
        until("an answer", lambda: sender.answered)
        first = min(sender.answered)
        until("more answers", lambda: len(sender.sent) > first + 30)
        shown = shared.ok("service", "status", name, "-n", web)
        assert f"programmed by kube-proxy of {asked.name}; UDP cannot be probed" in shown
    late = [number for number in list(sender.sent)[first:-5] if number not in sender.answered]
    assert not late, "once one is answered, all are"
    measure(f"kube-proxy {version}: published → UDP answered", (sender.answered[first] - seen.at) * 1000, "ms")
    shared.kubectl("delete", "service", name, "-n", web)
