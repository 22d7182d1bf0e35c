"""The agent's zipapp is complete: every module in it can be imported with nothing but Python."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from rancherctl.agents import package

IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(sys.modules["rancherctl"].__file__)
"""


def test_every_shipped_module_is_importable_from_the_archive_alone(tmp_path: Path) -> None:
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(package.build())
    with zipfile.ZipFile(BytesIO(package.build())) as content:
        members = [name for name in content.namelist() if name.startswith("rancherctl/") and name.endswith(".py")]
    modules = [name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for name in members]
    # -I and -S: neither the working directory nor site-packages may supply what the archive lacks
    words = (sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(archive), *modules)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(archive))


def test_what_only_the_operators_machine_runs_is_not_shipped() -> None:
    names = {name for name, _ in package.members()}
    assert not [name for name in names if name.startswith(("rancherctl/cli/", "rancherctl/environments/"))]
    assert {"rancherctl/worker.py", "rancherctl/net.py", "rancherctl/agents/main.py"} <= names


def test_declarations_load_no_code_of_roles() -> None:
    """The command line imports them for every `env` command."""
    heavy = ("dns", "rancherctl.dns.reconcile", "rancherctl.ingress.role.reconcile", "rancherctl.kube.rest", "paramiko")
    modules = "sys, rancherctl.roles.registry, rancherctl.roles.controllers"
    code = f"import {modules}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
