"""The machine of an operator in this process: the environments that it knows, their APIs as fakes, and commands."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import app
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_NAMESPACE_PREFIX
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests.base import SYSTEM, record
from rancherctl.environments.model import Environment, FederationSettings
from rancherctl.settings import dirs
from tests.fakes.member_api import CLUSTERS, NAMESPACES, MemberApi, cluster_json, secret_json

CONFIGMAPS, SECRETS = "/api/v1/configmaps", "/api/v1/secrets"
REVIEWS = "selfsubjectaccessreviews"
FEDERATION = FederationSettings("acme.example", servers=("10.0.0.53",))
HOSTS = {"acme": "10.0.0.31", "m1": "10.0.0.11", "m2": "10.0.0.21"}


@dataclass
class OperatorApi(MemberApi):
    """The API of an environment whose operator may do everything."""

    def post(self, path: str, body: Any) -> Any:
        return {"status": {"allowed": True}} if path.endswith(REVIEWS) else super().post(path, body)


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """The federation acme with the member m1, and the environment m2. ``run`` carries out a command line."""

    apis: dict[str, OperatorApi]
    known: KnownEnvironments
    run: Callable[..., Done]
    closed: set[str] = field(default_factory=set)

    def everything(self) -> Mapping[str, Any]:
        """What a command could change: all objects of all APIs, and the files about environments."""
        files = {str(f): f.read_bytes() for f in sorted(self.known.dirs.config.rglob("*")) if f.is_file()}
        return {name: copy.deepcopy(api.store.objects) for name, api in self.apis.items()} | {"files": files}

    def refused(self, words: Sequence[str], code: int, parts: Sequence[str]) -> Done:
        """The command fails with this code and these parts of its message, and has changed nothing anywhere."""
        before = self.everything()
        done = self.run(*words)
        assert (done.code, done.out) == (code, ""), done.err
        assert "error: " in done.err, done.err
        assert "\n  next: " in done.err, done.err
        assert [part for part in parts if part not in done.err] == [], done.err
        assert self.everything() == before
        return done

    def stop(self, name: str) -> None:
        """Nothing listens at the API of an environment any more."""
        self.closed.add(name)
        self.apis[name].close()

    def namespace(self, name: str, where: str, **metadata: Any) -> None:
        """Put a namespace into an environment."""
        self.apis[where].store.put(NAMESPACES, "", {"metadata": {"name": name, **metadata}})

    def know(self, name: str, url: str, environment: Environment) -> None:
        """The environment becomes known on this machine, which is signed in there."""
        self.known.save(environment)
        Registry(self.known.dirs.config / "environments").save(Access(name, url, "", "op", "s"))


@contextmanager
def running_desk(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """A desk whose files are in ``folder``."""
    environ = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "STATE", "CACHE")} | {"HOME": str(folder)}
    for variable, value in {**environ, "CI": "true", "KUBECONFIG": str(folder / "kubeconfig")}.items():
        monkeypatch.setenv(variable, value)
    token = json.dumps({"status": {"token": "t"}})
    monkeypatch.setattr(Renewal, "document", lambda self, name, force=False: token)

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = app.main(words)
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    def close(name: str, api: OperatorApi) -> None:
        if name not in desk.closed:
            api.close()

    with ExitStack() as stack:
        apis = {name: OperatorApi(name=name) for name in HOSTS}
        desk = Desk(apis, KnownEnvironments(dirs(environ)), run)
        for name, api in apis.items():
            stack.callback(close, name, api)
            environment = from_flags(
                name, [f"root@{HOSTS[name]}"], federation=FEDERATION if name == "acme" else None
            ).environment
            desk.know(name, api.url, environment)
            desk.namespace("default", name)
            api.store.put(CONFIGMAPS, SYSTEM, record(environment))
        joined(desk)
        yield desk
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)


def joined(desk: Desk) -> None:
    """m1 is a member of acme."""
    hub = desk.apis["acme"].store
    hub.put(CLUSTERS, "", {**cluster_json("m1", desk.apis["m1"].url), "status": {"uid": "uid-m1"}})
    hub.put(SECRETS, FEDERATION_CONTROLLER, secret_json("m1"))
    mark = {"federation.rancherctl.io/federation-uid": "uid-acme"}
    desk.namespace(f"{FEDERATION_NAMESPACE_PREFIX}acme", "m1", annotations=mark)


def labelled(desk: Desk, name: str, **labels: str) -> None:
    """The environment has these labels, in its API and in the file on this machine."""
    environment = replace(desk.known.read(name), labels=labels)
    desk.known.save(environment)
    desk.apis[name].store.put(CONFIGMAPS, SYSTEM, record(environment))
