"""Questions of OpenSSH: the program that ssh runs to ask passes them to the prompts of this run."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rancherctl.hosts.command import Secret
from rancherctl.hosts.openssh.questions import Questions
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.polling import poll_until

HOST_KEY = """The authenticity of host '[10.0.0.1]:2222 ([10.0.0.1]:2222)' can't be established.
ED25519 key fingerprint is SHA256:l2vGX5ZLgs/HrwoseR2F8rKEv3WBc1tjFlxD0ROD62Y.
This key is not known by any other names.
Are you sure you want to continue connecting (yes/no/[fingerprint])? """


@dataclass
class Asked:
    """Questions in a folder, and what reached the prompts."""

    folder: Path
    calls: list[Any] = field(default_factory=list)
    changes: int = 0
    trusted: bool = True

    def start(self, **answers: str | None) -> Questions:
        def ask(what: str) -> Any:
            if what not in answers:
                return None

            def answer(subject: str) -> Secret | None:
                self.calls.append((what, subject))
                given = answers[what]
                return None if given is None else Secret(given)

            return answer

        prompts = Prompts(
            password=ask("password"),
            passphrase=ask("passphrase"),
            answer=ask("answer"),
            warn=lambda line: self.calls.append(("warn", line)),
        )
        login = SudoLogin("ops", "h1", "10.0.0.1", 2222)
        return Questions(self.folder, "h1", login, prompts, self.host_key, self.changed)

    def host_key(self, name: str, key_type: str, fingerprint: str) -> bool:
        self.calls.append((name, key_type, fingerprint))
        return self.trusted

    def changed(self) -> None:
        self.changes += 1


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def helper(questions: Questions, text: str, kind: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program as ssh does."""
    environ = questions.environment(os.environ) | {"SSH_ASKPASS_PROMPT": kind}
    argv = [environ["SSH_ASKPASS"], text]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("ops@10.0.0.1's password: ", ("password", "ops@h1")),
        ("bob@bastion's password: ", ("password", "bob@bastion")),
        ("(CORP\\ops@10.0.0.1) Password: ", ("password", "CORP\\ops@10.0.0.1")),
        ("(ops@10.0.0.1) Password: ", ("password", "ops@h1")),
        ("Password: ", ("password", "ops@h1")),
        ("Enter passphrase for key '/home/ann/my key': ", ("passphrase", "/home/ann/my key")),
        ("Enter PIN for ED25519-SK key /home/ann/id_sk: ", ("answer", "Enter PIN for ED25519-SK key /home/ann/id_sk:")),
        ("(ops@h1) One-time code: ", ("answer", "(ops@h1) One-time code:")),
    ],
)
def test_a_secret_goes_from_the_prompt_to_ssh(asked: Asked, text: str, call: tuple[str, str]) -> None:
    secret = "a b'c\"ä\\"
    questions = asked.start(password=secret, passphrase=secret, answer=secret)
    done = helper(questions, text)
    questions.close()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{secret}\n", "")
    assert asked.calls == [call]
    assert (questions.open, asked.changes, questions.gave_up) == (0, 2, False)


@pytest.mark.parametrize(
    ("trusted", "text"),
    # OpenSSH 10 puts a colon before the fingerprint and no period behind it
    [(True, HOST_KEY), (False, HOST_KEY), (True, HOST_KEY.replace(" is SHA", " is: SHA").replace("62Y.", "62Y"))],
)
def test_a_host_key_is_accepted_or_refused(asked: Asked, trusted: bool, text: str) -> None:
    asked.trusted = trusted
    questions = asked.start()
    assert helper(questions, text).stdout == ("yes\n" if trusted else "no\n")
    questions.close()
    assert asked.calls == [
        ("[10.0.0.1]:2222", "ssh-ed25519", "SHA256:l2vGX5ZLgs/HrwoseR2F8rKEv3WBc1tjFlxD0ROD62Y"),
    ]


def test_a_touch_of_a_security_key_is_announced_and_not_waited_for(asked: Asked) -> None:
    questions = asked.start()
    assert helper(questions, "Confirm user presence for key ED25519-SK SHA256:abc", "none").returncode == 0
    questions.close()
    assert asked.calls == [("warn", "h1: Confirm user presence for key ED25519-SK SHA256:abc")]


def test_without_a_prompt_a_passphrase_is_refused_and_ssh_goes_on(asked: Asked) -> None:
    questions = asked.start()
    done = helper(questions, "Enter passphrase for key '/k': ")
    questions.close()
    assert (done.returncode, done.stdout) == (1, "")
    assert questions.refused == [("passphrase", "/k")]
    assert not questions.gave_up


@pytest.mark.parametrize(("text", "kind"), [("ops@10.0.0.1's password: ", ""), ("Accept updated hostkeys?", "confirm")])
def test_without_an_answer_the_login_is_given_up_before_ssh_sends_an_empty_one(
    asked: Asked, text: str, kind: str
) -> None:
    questions = asked.start(password=None, answer="yes")
    environ = questions.environment(os.environ) | {"SSH_ASKPASS_PROMPT": kind}
    with subprocess.Popen([environ["SSH_ASKPASS"], text], env=environ, stdout=subprocess.PIPE) as program:
        assert poll_until(lambda: questions.gave_up, 60)
        assert program.poll() is None
        questions.close()
        assert program.wait(20) == 1


def test_a_stranger_at_the_socket_asks_nothing(asked: Asked) -> None:
    questions = asked.start(password="secret")
    path = next(asked.folder.glob("q"))
    done = subprocess.run(
        ["python3", "-c", f"import socket; s = socket.socket(1); s.connect({str(path)!r}); s.sendall(b'what')"],
        timeout=60,
        check=True,
    )
    assert done.returncode == 0
    assert helper(questions, "ops@10.0.0.1's password: ").stdout == "secret\n"
    questions.close()
    assert len(asked.calls) == 1
