"""How components are built: commands, keys, pinned modules."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from rancherctl.bundle.sources.gobuild import MODULES, Recipe, recipes, testweb
from rancherctl.bundle.versions import BINARIES, TABLE, versions_for

ALL = [recipe for version in TABLE for recipe in recipes(versions_for(version))]
web = testweb  # a name that pytest does not collect
del testweb


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: f"{r.component}-{r.version}")
def test_every_version_of_the_table_has_a_pinned_module(recipe: Recipe) -> None:
    mod = (recipe.module / "go.mod").read_text()
    tools = mod.partition("tool (")[2].partition(")")[0].split()
    assert {recipe.final_name(_program(tool)) for tool in tools} == set(BINARIES[recipe.component])
    assert f" v{recipe.version}" in mod or f" v0.{recipe.version.removeprefix('1.')}" in mod
    assert "replace" not in mod
    assert (recipe.module / "go.sum").stat().st_size > 0


def _program(path: str) -> str:
    """What ``go build`` calls the program of a package: the last part of its path that is not a major version."""
    *_, before, last = path.split("/")
    return before if last[0] == "v" and last[1:].isdigit() else last


def test_kubernetes_is_built_with_its_version_for_servers_and_clients() -> None:
    kubernetes = recipes(versions_for("1.36.3"))[-1]
    ldflags = kubernetes.command("go", "amd64", Path("/out"))[-4]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.36.3 " in f"{ldflags} "
        assert f"-X {package}.gitMinor=36 " in f"{ldflags} "


def test_builds_do_not_depend_on_the_users_settings() -> None:
    command = recipes(versions_for("1.36.3"))[0].command("/usr/bin/go", "arm64", Path("/out"))
    assert command[:7] == [
        "env",
        "CGO_ENABLED=0",
        "GOOS=linux",
        "GOARCH=arm64",
        "GOFLAGS=",
        "GOWORK=off",
        "/usr/bin/go",
    ]
    assert {"-trimpath", "-mod=readonly"} <= set(command)


def test_the_cache_key_changes_with_every_input(tmp_path: Path) -> None:
    shutil.copytree(MODULES / "testweb", tmp_path / "web")
    recipe = dataclasses.replace(web(), module=tmp_path / "web")
    key = recipe.key("amd64", "go1.26.8")
    assert key == web().key("amd64", "go1.26.8")
    assert len({key, recipe.key("arm64", "go1.26.8"), recipe.key("amd64", "go1.27")}) == 3
    assert dataclasses.replace(recipe, tags=("x",)).key("amd64", "go1.26.8") != key
    (tmp_path / "web" / "serve.go").write_text("package main\n")
    assert recipe.key("amd64", "go1.26.8") != key


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("go1.26.0", True),
        ("go1.26rc1", True),
        ("go1.27", True),
        ("go2.0", True),
        ("go1.24.4", False),
        ("go1.9", False),
        ("devel +abc", True),
    ],
)
def test_an_older_go_is_refused(version: str, fits: bool, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26.0\n\ntool (\n)\n")
    assert dataclasses.replace(web(), module=tmp_path).fits(version) is fits


def test_the_test_web_server_builds_with_the_go_of_every_supported_distribution() -> None:
    assert web().fits("go1.19.8")
