"""Secrets are stored in a keyring or file; a missing, broken or hanging keyring does no harm."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from rancherctl.credentials.keyring_helper import unusable
from rancherctl.credentials.store import Keyring, KeyringUnusableError, SecretStore, keyring_possible
from rancherctl.errors import RancherctlError
from rancherctl.secret import Secret

FAKE = """
import json, pathlib, sys
asked, file = json.load(sys.stdin), pathlib.Path(sys.argv[1])
data = json.loads(file.read_text()) if file.exists() else {}
if sys.argv[2] == "set": data[asked["key"]] = asked["value"]
if sys.argv[2] == "delete": data.pop(asked["key"], None)
file.write_text(json.dumps(data))
print(json.dumps({"value": data.get(asked["key"]) if sys.argv[2] == "get" else None}))
"""


@pytest.fixture
def warnings() -> list[str]:
    return []


def keyring(tmp_path: Path) -> Keyring:
    return Keyring(30.0, (sys.executable, "-c", FAKE, str(tmp_path / "ring")))


def test_a_real_keyring_is_used_and_the_file_has_no_secret(tmp_path: Path, warnings: list[str]) -> None:
    store = SecretStore(tmp_path / "secrets.json", keyring(tmp_path), warnings.append)
    store.put("a", Secret("s3cret"))
    assert store.get("a") == "s3cret"
    assert "s3cret" not in (tmp_path / "secrets.json").read_text()
    store.delete("a")
    assert store.get("a") is None
    assert json.loads((tmp_path / "ring").read_text()) == {}
    assert warnings == []


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "exec sleep 3600"),
        ("false",),
        ("/nonexistent",),
        ("echo", "not json"),
        ("echo", '{"unusable": "locked"}'),
    ],
)
def test_without_a_keyring_secrets_are_in_a_0600_file_with_one_warning(
    tmp_path: Path, warnings: list[str], command: tuple[str, ...]
) -> None:
    store = SecretStore(tmp_path / "state/secrets.json", Keyring(0.2, command), warnings.append)
    store.put("a", Secret("1"))
    store.put("b", Secret("2"))
    assert (store.get("a"), store.get("b")) == ("1", "2")
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    assert len(warnings) == 1
    assert "0600" in warnings[0]


def test_the_helper_imports_nothing_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("json.py", "keyring.py", "rancherctl/credentials/keyring_helper.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(KeyringUnusableError, match="does not store secrets"):
        Keyring(60.0).call("get", "a")
    assert not (tmp_path / "ran").exists()


def test_a_secret_in_a_hanging_keyring_is_not_reported_as_absent(tmp_path: Path, warnings: list[str]) -> None:
    SecretStore(tmp_path / "s", keyring(tmp_path), warnings.append).put("a", Secret("1"))
    with pytest.raises(KeyringUnusableError, match="does not answer"):
        SecretStore(tmp_path / "s", Keyring(0.2, ("sh", "-c", "exec sleep 3600")), warnings.append).get("a")
    with pytest.raises(KeyringUnusableError, match="is not available"):
        SecretStore(tmp_path / "s", None, warnings.append).get("a")


def test_a_damaged_file_is_not_overwritten(tmp_path: Path, warnings: list[str]) -> None:
    file = tmp_path / "s"
    file.write_text("{broken")
    with pytest.raises(RancherctlError, match="cannot read"):
        SecretStore(file, None, warnings.append).put("a", Secret("1"))
    assert file.read_text() == "{broken"


@pytest.mark.parametrize(
    ("environ", "platform", "wanted"),
    [
        ({"CI": "true", "DBUS_SESSION_BUS_ADDRESS": "unix:x"}, "linux", False),
        ({}, "linux", False),
        ({"XDG_RUNTIME_DIR": "/nonexistent"}, "linux", False),
        ({"DBUS_SESSION_BUS_ADDRESS": "unix:x"}, "linux", True),
        ({"PYTHON_KEYRING_BACKEND": "x"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_the_keyring_is_tried_only_with_a_session_or_backend(
    environ: dict[str, str], platform: str, wanted: bool
) -> None:
    assert keyring_possible(environ, platform) is wanted


def test_a_secret_does_not_print_itself() -> None:
    assert "s3cret" not in repr({"a": Secret("s3cret")})


def test_insecure_keyring_backends_are_refused() -> None:
    from keyring.backends import fail, null

    assert unusable(fail.Keyring())
    assert unusable(null.Keyring())


BACKEND = """
import json, os, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

class Ring(KeyringBackend):
    priority = 5
    file = pathlib.Path(os.environ["RING"])

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps({**self._all(), f"{service}/{username}": password}))

    def delete_password(self, service, username):
        data = self._all()
        if data.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError(username)
        self.file.write_text(json.dumps(data))
"""


def test_the_helper_uses_the_systems_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring_backend.py").write_text(BACKEND)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "ring_backend.Ring")
    monkeypatch.setenv("RING", str(tmp_path / "ring.json"))
    ring = Keyring(60.0)
    assert ring.call("get", "a") is None
    ring.call("set", "a", "s3cret")
    assert json.loads((tmp_path / "ring.json").read_text()) == {"rancherctl/a": "s3cret"}
    assert ring.call("get", "a") == "s3cret"
    ring.call("delete", "a")
    ring.call("delete", "a")
    assert ring.call("get", "a") is None
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    with pytest.raises(KeyringUnusableError, match="cannot be used"):
        ring.call("set", "a", "s3cret")
