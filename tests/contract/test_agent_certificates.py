"""Renewal of leaf certificates by the real openssl: what stays, what changes, what is refused."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from rancherctl.agents import certificates, main
from rancherctl.agents.certificates import DAY, LeafFiles
from rancherctl.environments.pki import authority
from rancherctl.environments.pki.leaves import Leaf
from rancherctl.environments.pki.wanted import leaf_problem, parse
from rancherctl.errors import PartialError, UsageError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import disk

NOW = datetime.now(UTC)
HOST = LocalTransport("h1")
NAMES = Leaf(
    "apiserver",
    "ca",
    "rancherctl:apiserver",
    "rancherctl:x",
    server=True,
    names=("h1", "localhost"),
    addresses=("10.0.0.11", "127.0.0.1"),
)
CA = authority.new_authority("ca", "demo", NOW - timedelta(days=400))


def put(folder: Path, leaf: LeafFiles, left: float, signer: authority.KeyPair = CA, life: float = 365) -> None:
    pair = authority.issue(NAMES, signer, NOW - timedelta(days=life - left), valid=timedelta(days=life))
    for path, text in ((leaf.crt, pair.crt), (leaf.key, pair.key), (leaf.ca, CA.crt), (leaf.ca_key, CA.key)):
        Path(path).write_text(str.__str__(text))
    Path(leaf.key).chmod(0o600)


@pytest.fixture
def leaf(tmp_path: Path) -> LeafFiles:
    return at(tmp_path, "apiserver")


def at(folder: Path, name: str) -> LeafFiles:
    return LeafFiles(
        name, str(folder / f"{name}.crt"), str(folder / f"{name}.key"), str(folder / "ca.crt"), str(folder / "ca.key")
    )


def run(*leaves: LeafFiles) -> tuple[str, ...]:
    return certificates.renew_due(HOST, leaves, NOW.timestamp())


def read(leaf: LeafFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(leaf.crt).read_bytes())


@pytest.mark.parametrize("left", [121, 30, 0.1, -40])
def test_a_leaf_that_expires_soon_or_has_expired_is_renewed_and_otherwise_unchanged(
    tmp_path: Path, leaf: LeafFiles, left: float
) -> None:
    put(tmp_path, leaf, left)
    Path(leaf.crt).chmod(0o640)
    old = read(leaf)
    assert run(leaf) == ("apiserver",)
    new = read(leaf)
    new.verify_directly_issued_by(x509.load_pem_x509_certificate(CA.crt.encode()))
    assert (new.subject, new.issuer, new.public_key(), new.version) == (
        old.subject,
        old.issuer,
        old.public_key(),
        x509.Version.v3,
    )
    assert {e.oid.dotted_string: (e.critical, e.value) for e in new.extensions} == {
        e.oid.dotted_string: (e.critical, e.value) for e in old.extensions
    }
    assert new.serial_number != old.serial_number
    assert abs((new.not_valid_after_utc - NOW) - timedelta(days=365)) < timedelta(minutes=1)
    assert timedelta(hours=23) < NOW - new.not_valid_before_utc < timedelta(hours=25)
    assert Path(leaf.crt).stat().st_mode & 0o7777 == 0o640
    ssl.create_default_context().load_cert_chain(leaf.crt, leaf.key)
    assert run(leaf) == (), "it is not due again"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["apiserver.crt", "apiserver.key", "ca.crt", "ca.key"]


def test_apply_accepts_a_renewed_certificate(tmp_path: Path, leaf: LeafFiles) -> None:
    from rancherctl.environments.pki.remote import describe, public_hash
    from rancherctl.environments.pki.wanted import CertificateFolder, ObservedFile, authority_key

    put(tmp_path, leaf, 5)
    run(leaf)
    wanted = replace(NAMES, owner=disk.owner_of(Path(leaf.key).stat().st_uid, Path(leaf.key).stat().st_gid))
    seen = {there: describe(here) for there, here in ((wanted.crt, leaf.crt), (wanted.key, leaf.key))}
    found = {p: ObservedFile(f["sha256"], f["mode"], f["owner"], f.get("text", "")) for p, f in seen.items() if f}
    assert (
        leaf_problem(wanted, CertificateFolder(found, {wanted.key: public_hash(leaf.key)}), authority_key(CA.crt), NOW)
        == ""
    )


def test_a_leaf_with_more_than_a_third_of_its_life_left_is_not_renewed(tmp_path: Path, leaf: LeafFiles) -> None:
    put(tmp_path, leaf, 123)
    before = Path(leaf.crt).stat()
    assert run(leaf) == ()
    assert Path(leaf.crt).stat() == before


FOREIGN = authority.new_authority("ca", "demo", NOW)


def foreign(folder: Path, leaf: LeafFiles) -> None:
    put(folder, leaf, 5, FOREIGN)


def wrong_key(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.key).write_text(str.__str__(authority.issue(NAMES, CA, NOW, valid=timedelta(days=9)).key))


def wrong_authority_key(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.ca_key).write_text(str.__str__(FOREIGN.key))


def no_key(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.key).unlink()


def garbage(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.crt).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def empty(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.crt).write_text("")


def two(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.crt).write_text(Path(leaf.crt).read_text() * 2)


def a_ca_certificate(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.crt).write_text(CA.crt)
    Path(leaf.key).write_text(str.__str__(CA.key))


def elsewhere(folder: Path, leaf: LeafFiles) -> None:
    Path(leaf.crt).rename(folder / "real.crt")
    Path(leaf.crt).symlink_to(folder / "real.crt")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (foreign, "was not signed by"),
        (wrong_key, "do not belong together"),
        (wrong_authority_key, "do not belong together"),
        (no_key, "apiserver.key is missing"),
        (garbage, "openssl x509 failed"),
        (empty, "holds 0 certificates"),
        (two, "holds 2 certificates"),
        (a_ca_certificate, "is a CA certificate"),
        (elsewhere, "is not a regular file"),
    ],
)
def test_a_leaf_that_does_not_verify_stays_unchanged_and_the_others_are_renewed(
    tmp_path: Path, leaf: LeafFiles, damage: object, said: str
) -> None:
    good = replace(at(tmp_path, "etcd"), ca=str(tmp_path / "b.crt"), ca_key=str(tmp_path / "b.key"))
    put(tmp_path, good, 5)
    put(tmp_path, leaf, 5)
    damage(tmp_path, leaf)  # type: ignore[operator]
    before = Path(leaf.crt).read_bytes()
    with pytest.raises(PartialError, match="1 of 2 certificates of this host cannot be renewed") as caught:
        run(leaf, good)
    assert list(caught.value.failures) == ["apiserver"]
    assert said in caught.value.failures["apiserver"]
    assert Path(leaf.crt).read_bytes() == before
    assert read(good).not_valid_after_utc > NOW + timedelta(days=364)


def test_a_leaf_does_not_outlive_its_ca_and_is_then_not_renewed_every_day(tmp_path: Path, leaf: LeafFiles) -> None:
    late = datetime.now(UTC) - timedelta(days=authority.AUTHORITY_DAYS - 50)
    old = authority.new_authority("ca", "demo", late)
    put(tmp_path, leaf, 20, old)
    Path(leaf.ca).write_text(old.crt)
    Path(leaf.ca_key).write_text(str.__str__(old.key))
    assert run(leaf) == ("apiserver",)
    assert read(leaf).not_valid_after_utc == x509.load_pem_x509_certificate(old.crt.encode()).not_valid_after_utc
    with pytest.raises(PartialError, match=r"cannot be renewed for longer: its CA .* expires"):
        certificates.renew_due(HOST, [leaf], (NOW + timedelta(days=45)).timestamp())


def test_a_full_disk_leaves_the_old_certificate(
    tmp_path: Path, leaf: LeafFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, leaf, 5)
    before = Path(leaf.crt).read_bytes()

    def full(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PartialError, match="No space left on device"):
        run(leaf)
    monkeypatch.undo()
    assert Path(leaf.crt).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4
    assert run(leaf) == ("apiserver",)


def test_a_certificate_that_another_process_changed_is_kept(tmp_path: Path, leaf: LeafFiles) -> None:
    put(tmp_path, leaf, 5)
    theirs = authority.issue(NAMES, CA, NOW, valid=timedelta(days=365)).crt

    class Busy(LocalTransport):
        def run(self, command: Command, *, check: bool = True) -> Result:
            if command.argv[1] == "ca":
                Path(leaf.crt).write_text(theirs)
            return super().run(command, check=check)

    with pytest.raises(PartialError, match="changed by another process"):
        certificates.renew_due(Busy("h1"), [leaf], NOW.timestamp())
    assert Path(leaf.crt).read_text() == theirs


def test_the_list_is_read_as_it_was_written_and_damage_is_a_usage_error(tmp_path: Path, leaf: LeafFiles) -> None:
    path = tmp_path / "certificates.json"
    path.write_text(certificates.dump([leaf]))
    assert certificates.load(path) == (leaf,)
    path.write_text('{"leaves": [{"name": "x"}]}')
    with pytest.raises(UsageError, match="is not valid"):
        certificates.load(path)
    with pytest.raises(UsageError, match="does not exist"):
        certificates.load(tmp_path / "none")


def test_only_hosts_with_the_ca_keys_get_the_job() -> None:
    import json

    from rancherctl.agents.install import host_resources
    from rancherctl.environments.inventory import from_flags
    from rancherctl.environments.pki.leaves import leaves
    from rancherctl.hosts.model import File, Unit

    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
    first, worker = (host_resources(environment, host) for host in environment.hosts)
    text = next(r.content for r in first if isinstance(r, File) and r.path == str(certificates.PATH))
    listed = {item["name"]: item["ca_key"] for item in json.loads(text)["leaves"]}
    assert listed.keys() == {x.name for x in leaves(environment, environment.hosts[0])} - {"kubelet", "agent"}
    assert listed["etcd-peer"] == "/etc/rancherctl/pki/etcd-ca.key"
    assert [r.name for r in first if isinstance(r, Unit) and "certificates" in r.name] == [
        "rancherctl-certificates.timer"
    ]
    assert not any("certificates" in str(getattr(r, "path", getattr(r, "name", ""))) for r in worker)
    controller = next(r for r in first if isinstance(r, Unit) and r.name == "rancherctl-controller.service")
    assert not any(path.endswith("controller.crt") for path in controller.restart_on), (
        "a renewal alone must not plan a restart"
    )


def test_the_command_names_what_failed_and_exits_with_its_code(
    tmp_path: Path, leaf: LeafFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl.agents.install import agent_config
    from rancherctl.environments.inventory import from_flags

    monkeypatch.setattr(main, "setup", lambda debug: None)  # it would replace the test run's log handlers
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    config, listed = tmp_path / "agent.json", tmp_path / "certificates.json"
    config.write_text(agent_config(environment, environment.hosts[0]).dump())
    listed.write_text(certificates.dump([leaf]))
    put(tmp_path, leaf, 5)
    words = ["renew-certificates", str(listed), "--config", str(config)]
    assert main.main(words) == 0
    certificate = parse("apiserver", Path(leaf.crt).read_text())
    assert certificate is not None
    assert certificate.not_after > time.time() + 364 * DAY
    Path(leaf.key).unlink()
    assert main.main(words) == 6
    assert "apiserver.key is missing" in capsys.readouterr().err
