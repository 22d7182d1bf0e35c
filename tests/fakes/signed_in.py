"""An operator who is signed in to an API, for commands that run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal


def sign_in(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The environment ``demo`` with the API at ``url`` is known and chosen; its files are in ``folder``."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(folder / variable))
    monkeypatch.setenv("RANCHERCTL_ENV", "demo")
    known = folder / "XDG_CONFIG_HOME" / "rancherctl" / "environments"
    Registry(known).save(Access("demo", url, "", "op", "s"))
    (known / "demo.yaml").write_text("")
    monkeypatch.setattr(Renewal, "document", lambda self, name, force=False: json.dumps({"status": {"token": "t"}}))
