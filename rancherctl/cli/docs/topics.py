"""``rancherctl help TOPIC``: texts that belong to no single command. The man pages are made from the same texts."""

from __future__ import annotations

import difflib
from typing import Annotated, Final

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.streams import out

EXIT_CODES: Final[tuple[tuple[int, str], ...]] = (
    (0, "done, or nothing to show"),
    (1, "failed"),
    (2, "wrong usage or wrong input file; nothing was changed"),
    (3, "not found"),
    (4, "authentication or authorisation was refused"),
    (5, "conflict, lock held by somebody else, or a dangerous plan refused"),
    (6, "partial: some hosts or members failed"),
    (7, "unreachable"),
    (8, "plan --exit-code: there are changes"),
    (124, "timed out"),
    (130, "interrupted"),
    (141, "standard output was closed"),
)

FILES: Final[tuple[tuple[str, str], ...]] = (
    (
        "~/.config/rancherctl/config.toml",
        "defaults: env, output, color, progress, kubeconfig, bundle, cache_dir, sudo_password_file, debug, no_input, yes",
    ),
    ("~/.config/rancherctl/", "the environments that are known here, and the one chosen by `env use`"),
    (
        "~/.local/state/rancherctl/removed/",
        "files of environments that `env rm --force` forgot although hosts were not clear, or whose name another one took",
    ),
    (
        "~/.local/state/rancherctl/secrets.json",
        (
            "which secrets are in the system's keyring (service rancherctl); refresh tokens themselves (0600) where there is no keyring, "
            "sudo passwords never"
        ),
    ),
    ("~/.local/state/rancherctl/log/", "one log file per run; the last 50 are kept; no secrets"),
    ("~/.cache/rancherctl/", "short-lived tokens (0600), names for completion, bundles; may be deleted at any time"),
    ("~/.kube/config", "contexts of environments; users are an exec plug-in, never a token"),
    ("/opt/rancherctl, /etc/rancherctl, /var/lib/rancherctl", "on hosts: programs by version, configuration, data"),
    ("/var/lib/rancherctl-lab, /var/cache/rancherctl", "on a lab's machine: hosts of labs, root trees"),
)

ENVIRONMENT: Final = """\
An environment is a Kubernetes cluster on plain Linux hosts, described by one file:

apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata:
  name: prod
  labels: {region: eu, zone: eu-1}
spec:
  kubernetes: {version: 1.36.3}
  network: {podCIDR: 10.42.0.0/16, serviceCIDR: 10.43.0.0/16, mode: routed}
  dns: {domain: cluster.local, upstreams: [192.0.2.53]}
  api: {port: 6443, extraSANs: [api.example.org]}
  ingress: {hosts: {role: worker}, defaultClass: true}
  ssh: {user: root, identity: ~/.ssh/id_ed25519}
  hosts:
  - {name: h1, address: 10.0.0.11, publicAddress: 192.0.2.11, roles: [etcd, controlplane, worker]}
  - {name: h2, address: 10.0.0.12, publicAddress: 192.0.2.12, roles: [worker]}

network.mode is routed (routes on a shared subnet, VXLAN across subnets) or none (another network add-on).
podCIDR, serviceCIDR and dns.domain cannot change later. Roles are etcd, controlplane and worker; a host without
the worker role is tainted. publicAddress is what Ingress statuses publish. ingress.defaultClass: an Ingress that names no
class is ours; say false where another controller's class is the default. XDG variables move the folders.

`rancherctl env create NAME --host [USER@]IP[:PORT][=ROLES] ...` makes such a file and applies it;
`rancherctl env plan -f FILE` names every change first; `rancherctl env fetch` gets the file back from the hosts.
Editors can check the file with the JSON Schema that comes with the program: rancherctl/environments/schema.json.
"""


def _rows(rows: tuple[tuple[object, str], ...]) -> str:
    size = max(len(str(key)) for key, _ in rows) + 2
    return "".join(f"{key!s:<{size}}{text}\n" for key, text in rows)


TOPICS: Final[dict[str, str]] = {"environment": ENVIRONMENT, "exit-codes": _rows(EXIT_CODES), "files": _rows(FILES)}

app = noun("Explain a topic: environment, exit-codes, files.")


@app.command()
def show(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="environment, exit-codes or files; or a command.")],
) -> None:
    """Explain a topic: environment, exit-codes, files.

    \b
    Examples:
      rancherctl help environment
      rancherctl help exit-codes
      rancherctl help env create
    """
    from rancherctl.cli.nouns import NOUNS
    from rancherctl.errors import UsageError

    if topic not in TOPICS:
        near = difflib.get_close_matches(topic, [*TOPICS, *NOUNS], 1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"topics are {', '.join(TOPICS)}; for commands see: rancherctl --help"
        )
        raise UsageError(f"there is no topic and no command {topic!r}", hint=hint)
    out(TOPICS[topic])
    current().say("\n".join(f"see also: rancherctl help {other}" for other in TOPICS if other != topic))
