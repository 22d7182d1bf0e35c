"""Prepare the bundle and the root trees of lab hosts for demo and lab tests; skips what already exists.

RANCHERCTL_BUNDLE selects the source of the programs: official, modules, or the directory of a bundle with the test web
image.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rancherctl.bundle.create import MODULES, OFFICIAL, BundleRequest, create
from rancherctl.bundle.images import testweb_reference
from rancherctl.bundle.pause.elf import elf_static
from rancherctl.bundle.resolve import resolve
from rancherctl.bundle.sources import modules
from rancherctl.bundle.versions import DEFAULT, versions_for
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.events import Emit, Event
from rancherctl.lab.paths import Roots
from rancherctl.lab.steps import Steps
from rancherctl.lab.tree import tree
from rancherctl.output.failures import error_text
from rancherctl.settings import load

BUSYBOX = Path("/bin/busybox")


def show(event: Event) -> None:
    if event.state != "started":
        print(f"setup: {event.phase}: {' '.join(part for part in (event.subject, event.message) if part)}", flush=True)


def quiet(_event: Event) -> None:
    """For callers that need no progress."""


def source() -> str:
    """RANCHERCTL_BUNDLE if set; else pinned Go modules if a suitable Go is installed, else the official releases."""
    return load({}).bundle or (MODULES if modules.able(versions_for(DEFAULT)) else OFFICIAL)


def bundle_root(emit: Emit = quiet) -> Path:
    """The bundle with the test web image, created if it is not cached. A chosen directory is used unchanged."""
    settings, chosen = load({}), source()
    cache = settings.cache or settings.dirs.cache
    if chosen in {MODULES, OFFICIAL}:
        shell = BUSYBOX if BUSYBOX.is_file() and elf_static(BUSYBOX.read_bytes()) else None
        return create(BundleRequest(DEFAULT, chosen, testweb=True, busybox=shell), cache, emit).root
    bundle = resolve(chosen, DEFAULT, cache, emit)
    if testweb_reference() not in {artefact.reference for artefact in bundle.manifest.artefacts}:
        raise NotFoundError(
            f"the bundle {chosen} has no image {testweb_reference()}",
            hint="create it with rancherctl bundle create --testweb",
        )
    return bundle.root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", default="debian13:full", help="trees as OS:VARIANT, separated by commas")
    args = parser.parse_args()
    settings = load({})
    began = time.monotonic()
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        sys.exit("setup: lab hosts need root on Linux")
    root = bundle_root(show)
    print(
        f"setup: bundle of Kubernetes {DEFAULT} from {source()} at {root}: {time.monotonic() - began:.1f} s", flush=True
    )
    roots = Roots(cache=settings.cache.absolute()) if settings.cache else Roots()
    for name in args.trees.split(","):
        system, _, variant = name.partition(":")
        began = time.monotonic()
        tree(roots, system, variant, Steps(show), "")
        print(f"setup: root tree {name}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    try:
        main()
    except RancherctlError as error:
        sys.stderr.write(f"setup: {error_text(error)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to resume")
