"""A bundle from a directory: made, found again, damaged, verified."""

import errno
import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from rancherctl.bundle import create as module
from rancherctl.bundle.create import BundleRequest, create
from rancherctl.bundle.model import Bundle
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources import official
from rancherctl.bundle.sources.base import wanted
from rancherctl.bundle.staging import PREFIX, staging
from rancherctl.bundle.verify import check, findings, load
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import ConflictError, InvalidInputError, NotFoundError, RancherctlError, UsageError
from rancherctl.events import ignore


@pytest.fixture
def binaries(tmp_path: Path) -> Path:
    folder = tmp_path / "binaries"
    folder.mkdir()
    for _, _, name in wanted(versions_for(DEFAULT)):
        (folder / name).write_bytes(pause_binary("amd64") + name.encode())
        (folder / name).chmod(0o755)
    return folder


def made(binaries: Path, output: Path | None = None) -> Bundle:
    return create(BundleRequest(DEFAULT, str(binaries), output=output), binaries.parent / "cache", ignore)


def test_a_bundle_has_every_program_and_the_pause_image(binaries: Path) -> None:
    bundle = made(binaries)
    assert {a.name for a in bundle.manifest.artefacts} == {
        "pause",
        *(name for _, _, name in wanted(versions_for(DEFAULT))),
    }
    assert {a.mode for a in bundle.manifest.artefacts if a.kind == "binary"} == {0o755}
    assert bundle.manifest.source == "directory"
    assert check(bundle.root) == bundle == load(bundle.root)


def test_equal_inputs_give_the_same_bundle(binaries: Path) -> None:
    first, second = made(binaries), made(binaries)
    assert first == second
    assert [p.name for p in first.root.parent.iterdir()] == [first.manifest.digest()[:16]]


def test_different_programs_give_another_bundle_beside_it(binaries: Path) -> None:
    first = made(binaries)
    (binaries / "kubelet").write_bytes(pause_binary("amd64") + b"changed")
    assert made(binaries).root != first.root
    assert check(first.root) == first, "changing the user's file must not reach into a bundle that is made"


def test_a_bundle_can_be_the_directory_of_another(binaries: Path, tmp_path: Path) -> None:
    first = made(binaries, tmp_path / "one")
    assert made(first.root, tmp_path / "two").manifest.digest() == first.manifest.digest()


def test_all_missing_files_are_reported_at_once(binaries: Path) -> None:
    (binaries / "kubelet").unlink()
    (binaries / "ptp").unlink()
    with pytest.raises(InvalidInputError) as caught:
        made(binaries)
    assert [p.split()[0] for p in caught.value.problems] == ["ptp", "kubelet"]


def test_programs_for_another_architecture_are_refused(binaries: Path) -> None:
    (binaries / "kubelet").write_bytes(pause_binary("arm64"))
    (binaries / "ctr").write_text("#!/bin/sh\n")
    with pytest.raises(RancherctlError, match=r"ctr is not a program .*kubelet is built for arm64"):
        made(binaries)


def test_published_checksums_are_checked(binaries: Path) -> None:
    right = hashlib.sha256((binaries / "etcd").read_bytes()).hexdigest()
    (binaries / "SHA256SUMS").write_text(f"{right}  etcd\n{right}  kubelet\nnonsense\n")
    with pytest.raises(InvalidInputError) as caught:
        made(binaries)
    assert [p.partition(":")[0] for p in caught.value.problems] == [
        "kubelet does not have the checksum of SHA256SUMS",
        "SHA256SUMS",
    ]


def test_a_directory_in_the_way_is_left_alone(binaries: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "precious").touch()
    with pytest.raises(ConflictError, match="is not this bundle"):
        made(binaries, target)
    assert [p.name for p in target.iterdir()] == ["precious"]
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def fetching_is_too_late(*_: object) -> None:
    raise AssertionError("fetched or built before it was refused")


def test_invalid_options_are_refused_before_any_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "collect", fetching_is_too_late)
    monkeypatch.setattr("shutil.which", lambda _program: None)
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious").touch()
    for name in ("file", "mine"):
        with pytest.raises(ConflictError, match="is not this bundle"):
            create(BundleRequest(DEFAULT, "official", output=tmp_path / name), tmp_path / "cache", ignore)
    with pytest.raises(NotFoundError, match="no file"):
        create(BundleRequest(DEFAULT, "official", busybox=tmp_path / "none"), tmp_path / "cache", ignore)
    with pytest.raises(UsageError, match="not a static program for amd64"):
        create(BundleRequest(DEFAULT, "official", busybox=Path("/bin/sh")), tmp_path / "cache", ignore)
    with pytest.raises(NotFoundError, match="no Go here") as caught:
        create(BundleRequest(DEFAULT, "official", testweb=True), tmp_path / "cache", ignore)
    assert "--testweb" in caught.value.why
    assert "--source official" not in caught.value.hint


def test_an_empty_directory_is_filled(binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert check(made(binaries, tmp_path / "mine").root).root == tmp_path / "mine"


def test_a_full_disk_is_reported_and_leaves_no_files(
    binaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "place", full)
    with pytest.raises(RancherctlError, match="No space left on device") as caught:
        made(binaries, tmp_path / "out" / "b")
    assert "room" in caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


def test_leftovers_of_killed_runs_are_removed_and_folders_of_running_ones_kept(tmp_path: Path) -> None:
    left, busy = tmp_path / f"{PREFIX}left", tmp_path / f"{PREFIX}busy"
    for folder in (left, busy):
        (folder / "etcd").mkdir(parents=True)
    handle = os.open(busy, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with staging(tmp_path) as mine:
            assert {mine, busy} == set(tmp_path.iterdir())
            with staging(tmp_path) as other:
                assert mine.is_dir()
                assert other != mine
        assert list(tmp_path.iterdir()) == [busy]
    finally:
        os.close(handle)


def test_verify_finds_everything_at_once(binaries: Path, tmp_path: Path) -> None:
    bundle = made(binaries, tmp_path / "b")
    root = bundle.root
    (root / "etcd/3.6.8/etcd").unlink()
    kubelet = root / "kubernetes/1.36.3/kubelet"
    data = kubelet.read_bytes()
    kubelet.unlink()
    kubelet.write_bytes(data[:-1] + b"X")
    kubelet.chmod(0o755)
    ptp = root / "cni/1.9.1/ptp"
    ptp.unlink()
    ptp.symlink_to("loopback")
    (root / "cni/1.9.1/loopback").chmod(0o700)
    ctr = root / "containerd/2.2.0/ctr"
    ctr.unlink()
    ctr.write_bytes(b"short")
    ctr.chmod(0o755)
    (root / "surprise").touch()
    reported = findings(bundle)
    assert [line.split(":")[0] for line in reported] == [
        "cni/1.9.1/loopback", "cni/1.9.1/ptp",
        "containerd/2.2.0/ctr", "etcd/3.6.8/etcd", "kubernetes/1.36.3/kubelet", "surprise",
    ]  # fmt: skip
    assert "sha256 is" in reported[4]
    assert findings(bundle, contents=False) == (*reported[:4], reported[5])
    with pytest.raises(InvalidInputError) as caught:
        check(root)
    assert caught.value.problems == reported


def test_a_folder_that_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no manifest\.json"):
        load(tmp_path)
    with pytest.raises(NotFoundError, match="no directory"):
        create(BundleRequest(DEFAULT, str(tmp_path / "none")), tmp_path / "cache", ignore)
