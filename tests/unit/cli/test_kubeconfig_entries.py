"""Contexts in several kubeconfig files, merged as by kubectl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import kubeconfig_entries
from rancherctl.cli.context import CommandRun
from rancherctl.credentials import documents
from rancherctl.credentials.kubeconfig import merge, resolve
from rancherctl.credentials.kubeconfig_files import read
from rancherctl.credentials.registry import Access
from rancherctl.errors import ConflictError
from rancherctl.settings import Dirs, Settings

OURS = Access("demo", "https://10.0.0.1:6443", "PEM\n", "op", "s", uid="uid-1")


def foreign(name: str, current: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}"}}],
        "users": [{"name": name, "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": current,
    }


class Files:
    """$KUBECONFIG of the files ``a`` and ``b``."""

    def __init__(self, folder: Path) -> None:
        self.a, self.b = folder / "a", folder / "b"
        self.run = CommandRun(
            Settings(
                Dirs(folder / "c", folder / "s", folder / "k"),
                kubeconfig_list=f"{self.a}{os.pathsep}{self.b}",
                home=folder,
            )
        )

    def write(self, path: Path, data: dict[str, Any]) -> None:
        path.write_bytes(documents.dump(data))

    def means(self) -> tuple[str, str]:
        """(current context, its server), and kubectl agrees where there is one."""
        target = resolve(merge(read([self.a, self.b])))
        if kubectl := shutil.which("kubectl"):
            env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": self.run.settings.kubeconfig_list}
            done = subprocess.run(
                [kubectl, "config", "view", "--raw", "--minify", "-o", "json"],
                env=env,
                capture_output=True,
                timeout=60,
                check=True,
            )
            view = json.loads(done.stdout)
            assert (view["current-context"], view["clusters"][0]["cluster"]["server"]) == (
                target.context,
                target.server,
            )
        return target.context, target.server


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_name_of_another_origin_in_any_file_is_not_used(files: Files) -> None:
    """An entry of the first file would hide it."""
    files.write(files.a, foreign("work", "work"))
    files.write(files.b, foreign("demo"))
    with pytest.raises(ConflictError, match="context 'demo'"):
        kubeconfig_entries.merge(files.run, OURS, on_conflict="fail", use=True)
    assert kubeconfig_entries.merge(files.run, OURS, use=True) == ("demo-2", files.a, True)
    assert files.means() == ("demo-2", OURS.server)
    assert (files.run.settings.dirs.cache / "names/contexts").read_text() == "demo\ndemo-2\nwork\n", "for completion"
    assert "https://demo" in files.b.read_text()


def test_an_entry_is_replaced_in_its_own_file(files: Files) -> None:
    files.write(files.a, foreign("work", "work"))
    files.write(files.b, foreign("demo"))
    assert kubeconfig_entries.merge(files.run, OURS, on_conflict="replace", use=True) == ("demo", files.b, True)
    assert files.means() == ("demo", OURS.server)


def test_the_current_context_is_set_in_the_first_file(files: Files) -> None:
    """The entry is in the second file; the current context comes from the first."""
    files.write(files.a, foreign("work", "work"))
    files.write(files.b, {})
    only_b = CommandRun(Settings(files.run.settings.dirs, kubeconfig=str(files.b)))
    kubeconfig_entries.merge(only_b, OURS, use=False)
    assert kubeconfig_entries.merge(files.run, OURS, use=False)[1:] == (files.b, False)
    assert files.means()[0] == "work"
    assert kubeconfig_entries.merge(files.run, OURS) == ("demo", files.b, False), "one is chosen already"
    assert kubeconfig_entries.merge(files.run, OURS, use=True) == ("demo", files.b, True)
    assert files.means() == ("demo", OURS.server)
    assert kubeconfig_entries.merge(files.run, OURS, use=True) == ("demo", files.b, False)


def test_a_removed_context_is_current_in_no_file(files: Files) -> None:
    files.write(files.a, foreign("work", "demo"))
    files.write(files.b, foreign("more"))
    kubeconfig_entries.merge(CommandRun(Settings(files.run.settings.dirs, kubeconfig=str(files.b))), OURS, use=False)
    assert files.means()[0] == "demo"
    assert kubeconfig_entries.remove(files.run, "demo") == (files.a, files.b)
    assert documents.load_first(files.a.read_bytes(), "a")[0] == foreign("work")
    assert documents.load_first(files.b.read_bytes(), "b")[0] == foreign("more")


def test_a_foreign_current_context_of_the_same_name_stays(files: Files) -> None:
    files.write(files.a, foreign("demo", "demo"))
    kubeconfig_entries.merge(CommandRun(Settings(files.run.settings.dirs, kubeconfig=str(files.b))), OURS)
    assert kubeconfig_entries.remove(files.run, "demo") == (files.b,)
    assert documents.load_first(files.a.read_bytes(), "a")[0] == foreign("demo", "demo")
