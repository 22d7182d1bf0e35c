"""Root trees: names, the finishing script, where packages come from."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from rancherctl.bundle.distribution import archives as sources
from rancherctl.bundle.distribution.archives import Archive, parse_options, parse_targets
from rancherctl.errors import UsageError
from rancherctl.lab import tree as tree_module
from rancherctl.lab.packages import EARLY_SCRIPT, EXTRA, OFFERED, SYSCTLS, finish_script, tree_name
from rancherctl.lab.paths import Roots
from rancherctl.lab.steps import Steps

TARGETS = """\
Debian|bookworm|bookworm|http://mirror.example/debian/|main
Debian|bookworm|bookworm|http://mirror.example/debian/|contrib
Debian|bookworm-updates|bookworm-updates|http://mirror.example/debian/|main
Debian|bookworm-security|bookworm-security|http://mirror.example/debian-security/|main
Debian Backports|bookworm-backports|bookworm-backports|http://mirror.example/debian/|main
Node Source|nodistro|nodistro|https://node.example/|main
"""


def test_package_sources_of_the_machine_are_used_for_another_release() -> None:
    assert [archive.line("trixie", Path("/k.gpg")) for archive in parse_targets(TARGETS)] == [
        "deb [signed-by=/k.gpg] http://mirror.example/debian trixie main",
        "deb [signed-by=/k.gpg] http://mirror.example/debian-security trixie-security main",
        "deb [signed-by=/k.gpg] http://mirror.example/debian trixie-updates main",
    ]


def test_a_given_mirror_is_the_only_one() -> None:
    assert sources.archives("http://other.example/debian/") == (Archive("http://other.example/debian", ""),)


def test_without_debian_sources_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "run", lambda argv: "Ubuntu|noble|noble|http://u.example/|main\n")
    with pytest.raises(UsageError) as caught:
        sources.archives()
    assert "--mirror" in caught.value.hint


def test_only_apt_options_for_reaching_mirrors_are_copied() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://p:3128";\n'
        'Acquire::https::Proxy "";\nAcquire::Check-Date "false";\n'
    )
    assert parse_options(dump) == ('Acquire::http::Proxy "http://p:3128";', 'Acquire::Check-Date "false";')


def test_every_system_and_variant_has_its_own_tree() -> None:
    names = {tree_name(os, variant) for os in ("debian12", "debian13") for variant in ("full", "bare")}
    assert len(names) == 4
    assert tree_name("debian13", "full") == tree_name("debian13", "full")


def test_different_content_has_a_different_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree_name("debian13", "full")
    monkeypatch.setattr("rancherctl.lab.packages.BASE", ("systemd",))
    assert tree_name("debian13", "full") != before


@pytest.mark.parametrize("script", [finish_script("full"), finish_script("bare"), EARLY_SCRIPT])
def test_the_scripts_are_valid_shell(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_only_full_trees_install_the_extra_packages_and_mask_their_units() -> None:
    extra = " ".join(EXTRA)
    full, bare = finish_script("full"), finish_script("bare")
    for script in (full, bare):  # the repository offers firewalls, but no tree has one
        assert script.count(f"install {extra} {' '.join(OFFERED)}\n") == 1
    assert f"install {extra}\n" in full
    assert f"install {extra}\n" not in bare
    assert "haproxy.service" in full
    assert "haproxy.service" not in bare


def test_every_kernel_setting_has_its_replacement_file() -> None:
    script = finish_script("bare")
    assert all(f'"$root/srv/lab-sysctl/{name}" <<EOF\n{value}\nEOF\n' in script for name, value in SYSCTLS.items())


def test_a_tree_is_built_in_its_own_namespaces_and_a_failure_names_the_builder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Sequence[str]] = []

    def run(argv: Sequence[str], *, name: str, **_: object) -> str:
        ran.append(argv)
        Path(argv[-2]).mkdir()
        assert name == "mmdebstrap"
        return ""

    monkeypatch.setattr(tree_module, "run", run)
    monkeypatch.setattr(sources, "run", lambda argv: TARGETS if "indextargets" in argv else "")
    half = tmp_path / "trees" / f"{tree_module.PARTIAL}{tree_name('debian13', 'bare')}-left"
    half.mkdir(parents=True)
    built = tree_module.tree(Roots(cache=tmp_path), "debian13", "bare", Steps())
    assert built.is_dir()
    assert not half.exists()
    assert tuple(ran[0][: len(tree_module.APART)]) == tree_module.APART
    assert ran[0][len(tree_module.APART)] == "mmdebstrap"
    assert tree_module.tree(Roots(cache=tmp_path), "debian13", "bare", Steps()) == built
    assert len(ran) == 1
