"""The bundle that a run uses."""

from pathlib import Path

import pytest

from rancherctl.bundle.create import BundleRequest, create
from rancherctl.bundle.model import Bundle
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.resolve import resolve
from rancherctl.bundle.sources.base import wanted
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import InvalidInputError, UsageError
from rancherctl.events import ignore


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    for _, _, name in wanted(versions_for(DEFAULT)):
        (tmp_path / name).write_bytes(pause_binary("amd64"))
    return create(BundleRequest(DEFAULT, str(tmp_path), output=tmp_path / "bundle"), tmp_path / "cache", ignore)


def test_a_given_directory_is_used_as_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    assert resolve(str(bundle.root), f"v{DEFAULT}", tmp_path / "unused", ignore) == bundle
    assert not (tmp_path / "unused").exists()


def test_without_a_choice_a_usage_error_suggests_sources(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("", DEFAULT, tmp_path, ignore)
    assert "--bundle modules" in caught.value.hint


@pytest.mark.parametrize(("kubernetes", "arch"), [("1.34.4", "amd64"), (DEFAULT, "arm64")])
def test_a_bundle_for_something_else_is_refused(kubernetes: str, arch: str, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"wants {kubernetes} on {arch}"):
        resolve(str(bundle.root), kubernetes, tmp_path, ignore, arch=arch)


def test_a_bundle_with_missing_files_is_refused_before_any_host_is_touched(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.root / f"kubernetes/{DEFAULT}/kubelet").unlink()
    with pytest.raises(InvalidInputError, match=r"kubelet: missing"):
        resolve(str(bundle.root), DEFAULT, tmp_path, ignore)
