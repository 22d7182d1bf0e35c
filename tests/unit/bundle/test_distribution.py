"""Distribution packages in a bundle: systems, .deb files, the index, isolated apt, the packages of a bundle."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.bundle.create import BundleRequest, create
from rancherctl.bundle.distribution import archives, collect, isolated
from rancherctl.bundle.distribution.control import control
from rancherctl.bundle.distribution.index import entry, fields, parse, render
from rancherctl.bundle.distribution.offer import offers, systems
from rancherctl.bundle.distribution.systems import NOWHERE_YET, WANTED, choice, choices, too_old
from rancherctl.bundle.model import MANIFEST, Bundle
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources.base import wanted
from rancherctl.bundle.verify import check
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import InvalidInputError, NotFoundError, RancherctlError, UsageError
from rancherctl.events import ignore

VERSIONS = {"haproxy": "3.0.11-1+deb13u5", "bind9": "1:9.20.30-1~deb13u1", "runc": "1.1.15+ds1-2+b4"}


def stanza(name: str, version: str = "", arch: str = "amd64", more: str = "") -> str:
    return f"Package: {name}\nVersion: {version or VERSIONS.get(name, '1.0-1')}\nArchitecture: {arch}\n{more}"


def member(name: str, data: bytes) -> bytes:
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)


def deb(text: str, *, packed: str = "xz", inner: str = "./control") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(inner)
        info.size = len(text.encode())
        tar.addfile(info, io.BytesIO(text.encode()))
    pack: dict[str, Callable[[bytes], bytes]] = {"xz": lzma.compress, "gz": gzip.compress, "zst": bytes, "": bytes}
    data = pack[packed](buffer.getvalue())
    name = "control.tar" + (f".{packed}" if packed else "")
    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member(name, data) + member("data.tar.xz", b"odd")


@pytest.fixture
def debs(tmp_path: Path) -> Path:
    folder = tmp_path / "debs"
    folder.mkdir()
    for name in NOWHERE_YET:
        (folder / f"{name}_any.deb").write_bytes(deb(stanza(name, more="Depends: liblua (>= 5)\n")))
    (folder / "liblua_1%3a5-1_all.deb").write_bytes(deb(stanza("liblua", "1:5-1", "all")))
    (folder / "lock").touch()
    return folder


@pytest.fixture
def bundle(debs: Path, tmp_path: Path) -> Bundle:
    programs = tmp_path / "programs"
    programs.mkdir()
    for _, _, name in wanted(versions_for(DEFAULT)):
        (programs / name).write_bytes(pause_binary("amd64"))
    return create(
        BundleRequest(DEFAULT, str(programs), output=tmp_path / "b", packages=(f"debian13={debs}",)),
        tmp_path / "cache",
        ignore,
    )


def test_unknown_and_repeated_systems_are_refused() -> None:
    assert choice("debian13").folder is None
    assert choice("ubuntu24.04=/x").folder == Path("/x")
    for text, reported in (
        ("debian11", "known are"),
        ("debian13=", "directory is missing"),
        ("ubuntu24.04", "--packages ubuntu24.04=DIR"),
    ):
        with pytest.raises(UsageError) as caught:
            choice(text)
        assert reported in f"{caught.value} {caught.value.hint}"
    with pytest.raises(UsageError, match="debian13 twice"):
        choices(("debian13", "debian13=/x"))


@pytest.mark.parametrize(
    ("name", "version", "old"),
    [
        ("haproxy", "2.4.22-0ubuntu0.22.04.1", True),
        ("haproxy", "2.6.12-1+deb12u4", False),
        ("bind9", "1:9.16.50-1~deb11u2", True),
        ("bind9", "1:9.18.49-1~deb12u3", False),
        ("bind9", "2:10.0-1", False),
        ("nftables", "0.1", False),
        ("haproxy", "weird", False),
    ],
)
def test_versions_that_are_too_old_are_reported(name: str, version: str, old: bool) -> None:
    assert bool(too_old(name, version)) == old


@pytest.mark.parametrize("packed", ["xz", "gz", ""])
@pytest.mark.parametrize("inner", ["./control", "control"])
def test_name_version_and_architecture_are_read_from_a_package(tmp_path: Path, packed: str, inner: str) -> None:
    (tmp_path / "x.deb").write_bytes(deb(stanza("haproxy"), packed=packed, inner=inner))
    assert fields(control(tmp_path / "x.deb"))["Package"] == "haproxy"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not a Debian package"),
        (b"<html>not found</html>", "not a Debian package"),
        (b"!<arch>\nshort", "cut off"),
        (deb(stanza("x"))[:100], "cut off"),
        (b"!<arch>\n" + member("debian-binary", b"2.0\n"), "no control member"),
        (b"!<arch>\n" + member("control.tar.xz", b"garbage"), "cannot be unpacked"),
        (deb("x", inner="./other"), "no control file"),
        (deb(stanza("x"), packed="zst"), "packed with zstd"),
    ],
)
def test_a_file_that_is_not_a_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, expected: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "x.deb").write_bytes(data)
    with pytest.raises(ValueError, match=expected):
        control(tmp_path / "x.deb")


def test_the_index_has_the_format_of_apt_and_is_parsed_back() -> None:
    text = stanza(
        "haproxy", more="Depends: liblua (>= 5),\n libc6\nDescription: fast\n and reliable\nInstalled-Size: 7\n"
    )
    one, other = entry(text, "0" * 64, 12), entry(stanza("bind9"), "1" * 64, 13)
    written = render([one, other])
    assert written.split("\n\n")[1] == (
        f"Package: haproxy\nVersion: 3.0.11-1+deb13u5\nArchitecture: amd64\nInstalled-Size: 7\n"
        "Depends: liblua (>= 5), libc6\n"
        f"Filename: ./haproxy_3.0.11-1+deb13u5_amd64.deb\nSize: 12\nSHA256: {'0' * 64}\n"
    )
    assert other.file == "bind9_9.20.30-1~deb13u1_amd64.deb", "as in Debian's archives: no epoch"
    assert parse(written) == (other, one)
    assert render(parse(written)) == written


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_index_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert render(found)


@pytest.mark.parametrize(
    "text",
    [
        stanza("../../etc/passwd"),
        stanza("haproxy", "1/../2"),
        stanza("haproxy", "1.0-1", "a b"),
        "Package: x\nPackage: y\n",
        " goes on\n",
        "",
    ],
)
def test_dangerous_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        entry(text, "0" * 64, 1)


def test_all_problems_of_a_directory_are_reported(debs: Path) -> None:
    (debs / "runc_any.deb").unlink()
    (debs / "arm.deb").write_bytes(deb(stanza("netbase", arch="arm64")))
    (debs / "second.deb").write_bytes(deb(stanza("liblua", "2:6-1")))
    (debs / "broken.deb").write_bytes(b"<html>")
    (debs / "bind9_any.deb").write_bytes(deb(stanza("bind9", "1:9.16.1-1")))
    with pytest.raises(InvalidInputError) as caught:
        collect.read(debs, "debian13", "amd64")
    assert sorted(caught.value.problems) == [
        "arm.deb is for arm64, the bundle is for amd64",
        "bind9 is 1:9.16.1-1, 9.18 or newer is needed",
        "broken.deb is not a Debian package",
        "runc is missing",
        "second.deb is package liblua like liblua_1%3a5-1_all.deb: one version of each",
    ]
    assert "--download-only" in caught.value.hint


def test_packages_are_files_of_the_bundle_like_any_other(bundle: Bundle) -> None:
    assert check(bundle.root) == bundle
    assert {a.kind for a in bundle.manifest.of("packages")} == {"package", "index"}
    assert bundle.manifest.summary()["packages"] == ["debian13"]
    assert "packages" not in json.loads(json.dumps(bundle.manifest.summary()["versions"]))
    assert json.loads((bundle.root / MANIFEST).read_text())["apiVersion"] == "rancherctl.io/v1alpha1"
    assert not (bundle.root / ".packages").exists()
    damaged = bundle.root / "packages/debian13/liblua_5-1_all.deb"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"X")
    with pytest.raises(InvalidInputError, match=r"liblua_5-1_all\.deb: sha256 is"):
        check(bundle.root)


def test_a_bundle_offers_its_packages_by_system(bundle: Bundle) -> None:
    assert systems(bundle.manifest) == {"debian13"}
    offer = offers(bundle)["debian13"]
    assert set(offer.debs) == {*NOWHERE_YET, "liblua"}
    haproxy = offer.debs["haproxy"]
    assert (haproxy.version, haproxy.file) == ("3.0.11-1+deb13u5", "haproxy_3.0.11-1+deb13u5_amd64.deb")
    assert haproxy.local.stat().st_size == haproxy.size
    assert "Depends: liblua (>= 5)" in offer.index


def test_an_index_that_was_changed_is_refused(bundle: Bundle) -> None:
    index = bundle.root / "packages/debian13/index"
    index.write_text(index.read_text().replace("liblua (>= 5)", "liblua (>= 6)"))
    with pytest.raises(InvalidInputError, match="index: its sha256 is not the manifest's"):
        offers(bundle)


APT_GET = """#!/bin/sh
echo "$@" >> {log}/calls
case "$*" in
  "-q update") cat "$APT_CONFIG" >> {log}/config
    cat $(sed -n 's/^Dir::Etc "\\(.*\\)";/\\1/p' "$APT_CONFIG")sources.list >> {log}/sources;;
  *"install"*haproxy*) cat {log}/whole;;
  *"install"*) head -1 {log}/whole;;
  *"download "*) cp {log}/debs/* .;;
esac
"""


@pytest.fixture
def apt(tmp_path: Path, debs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that writes down what it is asked, and a keyring."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (
        ("apt-get", APT_GET.format(log=tmp_path)),
        ("apt-config", "#!/bin/sh\necho 'Acquire::http::Proxy \"http://p:3128\";'\n"),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(stat.S_IRWXU)
    (tmp_path / "whole").write_text(
        "Inst apt (3.0.3 Debian:13.8/stable [amd64])\n"
        "Inst bind9 (1:9.20.30-1~deb13u1 Debian:13.8/stable [amd64])\nConf apt\n"
    )
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(archives, "KEYRING", keyring)
    return tools


def test_apt_uses_its_own_root_and_downloads_only_missing_packages(tmp_path: Path, apt: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "to").mkdir()
    isolated.collect("debian13", "arm64", "http://m.example/debian/", tmp_path / "work", tmp_path / "to")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[-1] == "-q download bind9=1:9.20.30-1~deb13u1"
    assert set(WANTED) <= set(calls[-2].split())
    assert [line.split("] ")[1] for line in (tmp_path / "sources").read_text().splitlines()] == [
        "http://m.example/debian trixie main",
        "http://m.example/debian-security trixie-security main",
        "http://m.example/debian trixie-updates main",
    ]
    config = (tmp_path / "config").read_text()
    assert f'Dir::State::status "{tmp_path}/work/status";' in config
    assert 'APT::Architecture "arm64";' in config
    assert 'Acquire::http::Proxy "http://p:3128";' in config
    assert (tmp_path / "to/haproxy_any.deb").exists()


def test_the_error_quotes_apts_reason_why_packages_cannot_be_collected(tmp_path: Path, apt: Path) -> None:
    (apt / "apt-get").write_text("#!/bin/sh\necho 'E: The repository is not signed.' >&2; exit 100\n")
    (tmp_path / "work").mkdir()
    with pytest.raises(RancherctlError, match="The repository is not signed") as caught:
        isolated.collect("debian13", "amd64", "http://m.example/debian", tmp_path / "work", tmp_path)
    assert "--apt-mirror" in caught.value.hint


def test_without_apt_or_keys_the_error_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apt: Path
) -> None:
    archives.KEYRING.unlink()
    with pytest.raises(NotFoundError) as missing:
        isolated.collect("debian13", "amd64", "", tmp_path, tmp_path)
    assert "debian-archive-keyring" in missing.value.hint
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt-get is not installed") as caught:
        isolated.collect("debian13", "amd64", "", tmp_path, tmp_path)
    assert "--packages debian13=DIR" in caught.value.hint
