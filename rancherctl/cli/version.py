"""``rancherctl version``: versions of this program and of Kubernetes."""

from __future__ import annotations

import platform

from rancherctl import __version__
from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import OutputOption
from rancherctl.output.results import Record

app = noun("Show the version of rancherctl and the Kubernetes versions it installs.")


@app.command()
def version(output: OutputOption = None) -> None:
    """Show the version of rancherctl and the Kubernetes versions it installs.

    \b
    Examples:
      rancherctl version
      rancherctl version -o json
    """
    from rancherctl.bundle.versions import DEFAULT, TABLE

    item = {
        "version": __version__,
        "python": platform.python_version(),
        "kubernetes": DEFAULT,
        "kubernetesVersions": sorted(TABLE),
    }
    current(output=output).show(Record("Version", item, name=__version__))
