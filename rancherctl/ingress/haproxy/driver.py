"""One host's HAProxy as the agent handles it: files, test, reload and its proof, commands, read-back."""

from __future__ import annotations

import logging
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rancherctl.ingress.haproxy import files, observe, render
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.plan import Busy, Decision, Reload, Runtime
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket

UNIT = "rancherctl-ingress.service"
USER = "haproxy"
RELOAD_ANSWER = 5.0
SIGN_OF_LIFE = 2.0
"""Seconds."""
log = logging.getLogger(__name__)


class ConfigRefusedError(HaproxyError):
    """HAProxy does not accept a configuration; what runs goes on unchanged."""


@dataclass(slots=True)
class Counters:
    """Since this agent started."""

    reloads: int = 0
    commands: int = 0


def local_paths() -> render.Paths:
    """The usual places; listening on IPv6 as well where this machine has it."""
    return render.Paths(bind=("*", "[::]") if Path("/proc/net/if_inet6").exists() else ("*",))


def restart_unit() -> None:
    """Start HAProxy's unit anew; for when its master does not answer."""
    try:
        subprocess.run(["systemctl", "restart", UNIT], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise HaproxyError(
            f"{UNIT} could not be restarted", why=str(error), hint=f"see journalctl -u {UNIT}"
        ) from error


class Driver:
    """``restart`` starts HAProxy when its master is gone; ``user`` is who it runs as (files are given to that group, tests run under it)."""

    def __init__(
        self,
        paths: render.Paths,
        *,
        restart: Callable[[], None] = restart_unit,
        user: str = USER,
        start_limit: float = 15.0,
    ) -> None:
        self.paths = paths
        self.socket = Socket(paths.socket(Layout().generation))
        self.master = Socket(paths.master, RELOAD_ANSWER)
        self.counters = Counters()
        self.restart = restart
        self.start_limit = start_limit
        self._pause = threading.Event()
        self._ids = _ids(user)

    def use(self, generation: str) -> None:
        """Talk to the worker of this generation from now on; people find its socket as ``admin.sock``."""
        path = Path(self.paths.socket(generation))
        self.socket = Socket(str(path))
        link = path.with_name("admin.sock")
        try:
            if not link.is_symlink() or link.readlink() != Path(path.name):
                link.with_name(".admin.new").unlink(missing_ok=True)
                link.with_name(".admin.new").symlink_to(path.name)
                link.with_name(".admin.new").replace(link)
            for old in path.parent.glob("admin-*.sock"):
                if old != path:
                    old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: sockets of former workers are left: %s", path.parent, error)

    def stop(self) -> None:
        """End a wait that is under way."""
        self._pause.set()

    def info(self) -> observe.Info:
        """The worker that answers now."""
        return observe.info(self.socket)

    def busy(self, pools: tuple[str, ...]) -> Busy:
        """Slots of these pools with connections left."""
        return observe.busy(self.socket, pools)

    def differences(self, layout: Layout) -> tuple[str, ...]:
        """How the running HAProxy differs from ``layout``."""
        return observe.differences(layout, observe.live(self.socket, self.paths))

    def written_ports(self) -> tuple[int, ...]:
        """Ports that the configuration on disk listens on: what HAProxy itself may hold when nothing else is known of it."""
        try:
            text = Path(self.paths.config).read_text("ascii", "replace")
        except OSError:
            return ()
        return tuple(int(p) for p in re.findall(r"^frontend http(\d+)$", text, re.MULTILINE))

    def port_error(self, port: int) -> str:
        """Why this port cannot be listened on ("" = it can); only meaningful while HAProxy itself does not listen there."""
        for family in (socket.AF_INET, *((socket.AF_INET6,) if any(":" in a for a in self.paths.bind) else ())):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    probe.bind(("", port))
                    probe.listen(1)
                except OSError as error:
                    return f"port {port}: {error.strerror}"
        return ""

    def frozen(self, layout: Layout) -> str:
        """Why HAProxy counts as frozen: neither its socket nor a port that it listens on answers in time. "" for one that does either, and for
        one that is gone: its unit starts it anew at once.
        """
        try:
            observe.info(Socket(self.socket.path, SIGN_OF_LIFE))
        except HaproxyError as error:
            if isinstance(error.__cause__, TimeoutError) and not any(_answers(port) for port in layout.ports[:1]):
                return str(error)
        return ""

    def apply(self, decision: Decision) -> Layout:
        """Make it so; returns what the running HAProxy was seen to have. Raises HaproxyError, then that is not known.

        What it takes while it runs is not on disk before ``save``; a new process is started from the files.
        """
        match decision:
            case Reload():
                layout = replace(decision.layout, generation=secrets.token_hex(4))
                self.check(layout)
                self.save(layout)
                self.reload(layout.generation)
                self._prove(self.differences(layout))
                return layout
            case Runtime(commands=commands, layout=layout):
                self.counters.commands += self.socket.run(commands)
                self._prove(observe.touched(self.socket, self.paths, layout, decision.pools, decision.keys))
        return decision.layout

    def _prove(self, wrong: tuple[str, ...]) -> None:
        if wrong:
            raise HaproxyError("HAProxy does not have what it was given", why="; ".join(wrong))

    def save(self, layout: Layout) -> list[str]:
        """Write the files that differ; returns their paths. HAProxy reads them at its next start."""
        texts = render.files(layout, self.paths)
        wrong = files.differing(texts)
        try:
            for path in wrong:
                files.write(Path(path), texts[path].encode(), group=self._ids[1] if self._ids else -1)
        except OSError as error:
            raise HaproxyError(
                f"{self.paths.data} cannot be written",
                why=str(error),
                hint="free disk space; what runs goes on serving",
            ) from error
        return wrong

    def check(self, layout: Layout) -> None:
        """``haproxy -c`` over copies of the files, as the unprivileged user. Raises ConfigRefusedError with HAProxy's own words."""
        folder = Path(self.paths.data) / "check"
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o750)
            if self._ids:
                os.chown(folder, -1, self._ids[1])
            copies = replace(self.paths, data=str(folder))
            for path, text in render.files(layout, copies).items():
                files.write(Path(path), text.encode(), group=self._ids[1] if self._ids else -1)
            uid, gid = self._ids if self._ids and os.geteuid() == 0 else (None, None)
            test = ["haproxy", "-c", "-f", copies.config]
            groups = () if uid is not None else None
            result = subprocess.run(
                test, capture_output=True, timeout=60, check=False, user=uid, group=gid, extra_groups=groups
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise HaproxyError("the new configuration could not be tested", why=str(error)) from error
        if result.returncode:
            lines = [line for line in result.stderr.decode("utf-8", "replace").splitlines() if "ALERT" in line]
            raise ConfigRefusedError(
                "HAProxy refuses the new configuration", why=(lines or ["no reason given"])[0][:500]
            )

    def reload(self, generation: str) -> None:
        """Have the files loaded by a new worker, wait until it answers, and talk to it from then on."""
        try:
            answer = self.master.ask("reload", silent=True)
        except HaproxyError as error:
            self._without_answer(
                generation, gone=isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError))
            )
        else:
            # HAProxy 2.6 answers nothing; from 2.7 on it waits for the new worker and tells.
            if answer.startswith("Success=0"):
                raise HaproxyError("HAProxy could not load its files", why=answer[-500:])
        self.counters.reloads += 1
        self._await(generation)
        self.use(generation)

    def _without_answer(self, generation: str, *, gone: bool) -> None:
        """Start HAProxy anew if its master is ``gone``. One that was asked and whose answer got lost may be at work: a restart, which cuts
        all connections, comes only when no new worker does.
        """
        if not gone:
            try:
                self._await(generation)
            except HaproxyError as error:
                if self._pause.is_set():
                    raise
                log.warning("HAProxy's master does not reload and is restarted: %s", error)
            else:
                return
        self.restart()

    def _await(self, generation: str) -> None:
        fresh = Socket(self.paths.socket(generation))
        deadline = time.monotonic() + self.start_limit
        pause = 0.005
        seen = "no worker answered"
        while time.monotonic() < deadline:
            try:
                observe.info(fresh)
            except HaproxyError as error:
                seen = str(error)
            else:
                return
            if self._pause.wait(pause):
                raise HaproxyError("the agent is stopping")
            pause = min(pause * 1.5, 0.2)
        raise HaproxyError(
            f"HAProxy did not load its new configuration within {self.start_limit:.0f} s",
            why=seen,
            hint=f"see journalctl -u {UNIT}",
        )


def _answers(port: int) -> bool:
    """Whether anything at all is answered on this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), SIGN_OF_LIFE) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _ids(user: str) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
