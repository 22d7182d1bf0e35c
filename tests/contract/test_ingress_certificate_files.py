"""What a host's disk has of certificates, as read by the program that is sent there, beside a real HAProxy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import disk
from rancherctl.ingress.operator import host_certificates
from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import tls
from tests.fakes.tls_host import TlsHost, site

ME = disk.owner_of(os.geteuid(), os.getegid())


class ThisUser(LocalTransport):
    """This machine as a host, without root rights."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        self.answer = super().run(replace(command, root=False), check=check)
        return self.answer


def test_the_list_equals_the_disk_and_has_no_key(tls_host: TlsHost) -> None:
    tls_host.start(TlsPolicy(default="default/sd"))
    a, b, default = (tls_host.authority.issue(name) for name in ("a.example", "b.example", "d.example"))
    wildcard = tls_host.authority.issue("*.w.example")
    tls_host.follow(
        [site("a.example", "sa"), site("b.example", "sb"), site("x.w.example", "sw"), site("y.w.example", "sv")],
        [a.copy("sa"), b.copy("sb"), wildcard.copy("sw"), wildcard.copy("sv"), default.copy("sd")],
    )
    transport = ThisUser("h1")
    host = host_certificates.read(transport, tls_host.haproxy.paths.data)
    assert {file.name for file in host.files} == tls_host.files()
    assert b"PRIVATE KEY" not in transport.answer.stdout
    found = host_certificates.rows(host, {}, tls.AN_HOUR_LATER, 14)
    served = {tuple(row["names"]): row for row in found if row["names"]}
    assert served.keys() == {("a.example",), ("b.example",), ("x.w.example", "y.w.example")}
    assert served["x.w.example", "y.w.example"]["secrets"] == ["default/sv", "default/sw"]
    assert int(served["a.example",]["serial"], 16) == a.serial == tls_host.serial("a.example")
    (spare,) = (row for row in found if row["file"] == "default.pem")
    assert (int(spare["serial"], 16), spare["secrets"]) == (default.serial, ["default/sd"])
    assert all(row["has_key"] and (row["owner"], row["mode"]) == (ME, "0640") for row in found)


def test_files_that_should_not_be_there_are_listed_with_a_problem(tls_host: TlsHost) -> None:
    a, stray = tls_host.authority.issue("a.example"), tls_host.authority.issue("stray.example")
    tls_host.follow([site("a.example", "sa")], [a.copy("sa")])
    folder = Path(tls_host.haproxy.paths.certificates)
    (folder / "old.pem").write_bytes(stray.certificate + stray.key)
    (folder / "old.pem").chmod(0o644)
    (folder / "sub").mkdir()
    (folder / "sub" / "key").write_bytes(stray.key)
    (folder / "junk").write_text("x")
    (folder / "gone").symlink_to("/nonexistent")
    host = host_certificates.read(ThisUser("h1"), tls_host.haproxy.paths.data)
    rows = {row["file"]: row for row in host_certificates.rows(host, {}, tls.AN_HOUR_LATER, 14)}
    reasons = {name: [p["reason"] for p in row["problems"]] for name, row in rows.items()}
    assert "FileUnused" in reasons["old.pem"]
    assert "mode 0644" in next(p["message"] for p in rows["old.pem"]["problems"] if p["reason"] == "FileMode")
    assert rows["sub/key"]["problems"][0]["message"] == "the file has a private key without a certificate"
    assert reasons["junk"] == ["FileUnknown"]
    assert reasons["gone"] == ["FileUnreadable"]
    (good,) = (row for row in rows.values() if row["secrets"] == ["default/sa"])
    assert "FileUnused" not in reasons[good["file"]]


def test_a_host_without_a_load_balancer_has_none_and_damaged_notes_are_said(tmp_path: Path) -> None:
    empty = host_certificates.read(ThisUser("h1"), str(tmp_path / "none"))
    assert empty == host_certificates.HostCertificates(())
    (tmp_path / "state.json").write_text("x\n[]")
    assert "state.json" in host_certificates.read(ThisUser("h1"), str(tmp_path)).problem
    assert json.dumps(host_certificates.rows(empty, {}, 0.0, 14)) == "[]"


def test_names_of_lines_with_options_and_exclusions_are_listed(tls_host: TlsHost) -> None:
    own, wild = tls_host.authority.issue("b.a.example", key=tls.rsa_key()), tls_host.authority.issue("*.a.example")
    sites = [
        site("b.a.example", "own"),
        site("*.a.example", "wild", annotations={f"{INGRESS_PREFIX}http2": "false"}),
    ]
    tls_host.follow(sites, [own.copy("own"), wild.copy("wild")])
    host = host_certificates.read(ThisUser("h1"), tls_host.haproxy.paths.data)
    rows = host_certificates.rows(host, {}, tls.AN_HOUR_LATER, 14)
    assert sorted(row["names"] for row in rows) == [["*.a.example"], ["b.a.example"]]
