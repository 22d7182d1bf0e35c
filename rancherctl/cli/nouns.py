"""The table of nouns: every word of the root, its module and its short help. A noun that does not work yet is not in it."""

from __future__ import annotations

from typing import Final

from rancherctl.cli.groups import Noun

NOUNS: Final[dict[str, Noun]] = {
    "env": Noun(
        "rancherctl.cli.env.commands",
        "Create, change, inspect and remove Kubernetes environments on plain Linux hosts.",
        ("environment", "envs", "environments"),
    ),
    "bundle": Noun(
        "rancherctl.cli.bundle",
        "Make and check bundles: the programs and images that environments install.",
        ("bundles",),
    ),
    "ingress": Noun("rancherctl.cli.ingress", "Ingresses and the load-balancer hosts that serve them.", ("ingresses",)),
    "dns": Noun("rancherctl.cli.dns", "The DNS servers on the hosts: ask, list, check."),
    "kubeconfig": Noun("rancherctl.cli.kubeconfig", "Contexts of environments in kubeconfig files.", ("kubeconfigs",)),
    "kubectl": Noun("rancherctl.cli.kubectl", "Run kubectl with an environment's context."),
    "lab": Noun("rancherctl.cli.lab", "Throw-away Debian hosts on this Linux machine (needs root).", ("labs",)),
    "completion": Noun("rancherctl.cli.completion", "Print the completion script for bash, zsh or fish."),
    "version": Noun("rancherctl.cli.version", "Show the version of rancherctl and of what it installs."),
    "help": Noun("rancherctl.cli.docs.topics", "Explain a topic: environment, exit-codes, files."),
}
