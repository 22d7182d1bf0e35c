"""What demo and lab tests need besides the virtual environment: the bundle, and the root trees of lab hosts. Skips what is there."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from rancherctl.bundle.create import Request, create
from rancherctl.bundle.versions import DEFAULT
from rancherctl.events import Event
from rancherctl.lab.paths import Roots
from rancherctl.lab.steps import Steps
from rancherctl.lab.tree import tree
from rancherctl.settings import load


def show(event: Event) -> None:
    if event.state != "started":
        print(f"setup: {event.phase}: {' '.join(part for part in (event.subject, event.message) if part)}", flush=True)


def quiet(_event: Event) -> None:
    """For callers that only want the path of what is there."""


def source() -> str:
    """Built from pinned Go modules where there is Go, else the official releases."""
    return "modules" if shutil.which("go") else "official"


def bundle_root(emit: object = quiet) -> Path:
    """The bundle with the test web image; made when it is not in the cache."""
    settings = load({})
    request = Request(DEFAULT, source(), testweb=True)
    return create(request, settings.cache or settings.dirs.cache, emit).root  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", default="debian13:full", help="trees as OS:VARIANT, separated by commas")
    args = parser.parse_args()
    settings = load({})
    began = time.monotonic()
    root = bundle_root(show)
    print(f"setup: bundle of Kubernetes {DEFAULT} from {source()} at {root}: {time.monotonic() - began:.1f} s", flush=True)
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        sys.exit("setup: lab hosts need root on Linux")
    roots = Roots(cache=settings.cache) if settings.cache else Roots()
    for name in args.trees.split(","):
        system, _, variant = name.partition(":")
        began = time.monotonic()
        tree(roots, system, variant, Steps(show), "")  # type: ignore[arg-type]
        print(f"setup: root tree {name}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
