"""Where demo and tests take their programs from."""

from pathlib import Path

import pytest

from rancherctl.bundle.create import BundleRequest, create
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources import modules
from rancherctl.bundle.sources.base import wanted
from rancherctl.bundle.sources.modules import Toolchain
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import NotFoundError
from rancherctl.events import ignore
from scripts import prepare


@pytest.mark.parametrize(
    ("go", "version", "said", "source"),
    [
        ("/usr/bin/go", "go1.30", "", "modules"),
        ("/usr/bin/go", "go1.19.8", "", "official"),
        (None, "", "", "official"),
        (None, "", "modules", "modules"),
        ("/usr/bin/go", "go1.30", "official", "official"),
    ],
)
def test_the_source_is_the_configured_one_or_the_best_that_the_machine_supports(
    go: str | None, version: str, said: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _program: go)
    monkeypatch.setattr(modules, "find_go", lambda: Toolchain("go", version))
    monkeypatch.setenv("RANCHERCTL_BUNDLE", said)
    assert prepare.source() == source


def test_a_chosen_bundle_must_have_the_image_of_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for _, _, name in wanted(versions_for(DEFAULT)):
        (programs / name).write_bytes(pause_binary("amd64"))
    made = create(BundleRequest(DEFAULT, str(programs)), tmp_path / "cache", ignore)
    monkeypatch.setenv("RANCHERCTL_BUNDLE", str(made.root))
    with pytest.raises(NotFoundError, match="has no image") as caught:
        prepare.bundle_root()
    assert "--testweb" in caught.value.hint
