"""Log a master in: start it, answer its questions, wait until it is ready or explain why it is not.

Every wait has a limit; a server that drops connections before the login (MaxStartups) is retried.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Protocol

from rancherctl.errors import UnreachableError
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh import folder as folders
from rancherctl.hosts.openssh.agent_probe import agent_problem
from rancherctl.hosts.openssh.command_line import master_argv
from rancherctl.hosts.openssh.connection import MuxConnection
from rancherctl.hosts.openssh.failures import Attempt, failure
from rancherctl.hosts.openssh.host_key_policy import AcceptedFingerprints, HostKeyPolicy
from rancherctl.hosts.openssh.master import Master
from rancherctl.hosts.openssh.messages import is_waiting_for_approval
from rancherctl.hosts.openssh.mux import answers
from rancherctl.hosts.openssh.questions import Questions
from rancherctl.hosts.openssh.user_master import BorrowedConnection
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.ssh_login_attempts import repeated
from rancherctl.hosts.ssh_settings import SshSettings, arguments

LOGIN_LIMIT = 30.0
"""Seconds after which a login that does not go on is given up."""
APPROVAL_LIMIT: Final = 60.0
"""The same while an agent or a security key may ask its owner."""


class JumpHost(Protocol):
    """A host whose connection others lead through."""

    @property
    def name(self) -> str: ...

    def connected(self) -> MuxConnection:
        """Its connection, made now if there is none."""


class OpenSshLogin:
    """Login to one host. ``closed`` ends all waiting, at once after ``cancel``."""

    def __init__(
        self,
        address: SshAddress,
        settings: SshSettings,
        name: str,
        prompts: Prompts,
        via: JumpHost | None,
        closed: threading.Event,
        backoff: Callable[[int], float],
        accepted: AcceptedFingerprints,
    ) -> None:
        self._address, self._settings, self._name, self._prompts, self._via = address, settings, name, prompts, via
        self._closed, self._backoff = closed, backoff
        self._policy = HostKeyPolicy(name, settings, prompts, accepted)
        self._master: Master | None = None
        self.who = SudoLogin(settings.user, name, settings.host, settings.port)

    def connect(self) -> MuxConnection:
        """An authenticated connection, of the user's own master if that is open. UnreachableError, AuthError."""
        if (shared := self._settings.control_path) and answers(shared):
            return BorrowedConnection(shared)
        return repeated(
            self._login_once,
            self._name,
            by_command=bool(self._settings.proxy_command),
            closed=self._closed,
            backoff=self._backoff,
        )

    def cancel(self) -> None:
        """Have a login in progress look at ``closed``."""
        if (master := self._master) is not None:
            master.wake()

    def _login_once(self) -> MuxConnection:
        self._policy.prepare()
        agent = self._settings.agent
        problem = agent_problem(agent) if agent else ""
        via = self._via.connected() if self._via is not None else None
        # on a failure the master ends first: an answer that is missing must not become an empty one
        with ExitStack() as always, ExitStack() as failed:
            folder = folders.create()
            failed.callback(folders.remove, folder)
            questions = Questions(folder, self._name, self.who, self._prompts, self._ask_host_key, self.cancel)
            always.callback(questions.close)
            argv = master_argv(
                self._address,
                self._settings,
                folder,
                self._prompts,
                via=via.control if via is not None else "",
                with_agent=not problem,
            )
            master = Master(argv, folder, questions.environment(os.environ))
            failed.callback(master.close)
            self._master = master
            self._wait(master, questions)
            attempt = Attempt(
                self._name,
                self._settings,
                master.log,
                master.noise,
                questions.refused,
                questions.answered,
                {f"agent {agent}": problem} if problem else {},
                self._via.name if self._via is not None else "",
            )
            if not master.ready:
                reason = via.failure(self._settings.host, self._settings.port) if via is not None else ""
                raise failure(attempt, self._policy, reason)
            self._policy.check_after_login(master.log)
            failed.pop_all()
        self._master = None
        return MuxConnection(master)

    def _wait(self, master: Master, questions: Questions) -> None:
        """Until the master is ready or has ended, or cannot go on without an answer."""
        with master.changed:
            while not (master.ready or master.ended or questions.gave_up):
                if self._closed.is_set():
                    raise UnreachableError(f"{self._name}: the connection is closed")
                limit = APPROVAL_LIMIT if is_waiting_for_approval(master.log) else LOGIN_LIMIT
                left = limit if questions.open else master.heard + limit - time.monotonic()
                if left <= 0:
                    raise UnreachableError(
                        f"{self._name}: the login did not finish",
                        why=f"no progress for {limit:.0f} s",
                        hint=f"try it by hand: {shlex.join(arguments(self._address, '-v'))}",
                    )
                master.changed.wait(left)

    def _ask_host_key(self, name: str, key_type: str, fingerprint: str) -> bool:
        return self._policy.ask(name, key_type, fingerprint, self._master)
