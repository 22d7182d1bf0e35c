"""The table of nouns: name, module, short help and aliases."""

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
        "Create and verify bundles: the programs and images that environments install.",
        ("bundles",),
    ),
    "ingress": Noun(
        "rancherctl.cli.ingress.commands",
        "Show, scale and check Ingresses, and the hosts that serve them.",
        ("ingresses",),
    ),
    "service": Noun(
        "rancherctl.cli.service",
        "Show, scale and check Services of type LoadBalancer, and the hosts whose addresses they have.",
        ("services", "svc"),
    ),
    "federation": Noun(
        "rancherctl.cli.federation.commands",
        "Create a federation and its members: Services that run in all of them, with public DNS names.",
        ("federations", "fed"),
    ),
    "dns": Noun("rancherctl.cli.dns", "Query, list and check the DNS servers on the hosts."),
    "manifests": Noun("rancherctl.cli.manifests", "Apply and remove sets of Kubernetes manifests.", ("manifest",)),
    "kubeconfig": Noun(
        "rancherctl.cli.kubeconfig",
        "Add, print and remove contexts of environments in kubeconfig files.",
        ("kubeconfigs",),
    ),
    "kubectl": Noun("rancherctl.cli.kubectl", "Run kubectl with an environment's context."),
    "lab": Noun("rancherctl.cli.lab", "Run disposable Debian hosts on this Linux machine (requires root).", ("labs",)),
    "completion": Noun("rancherctl.cli.completion", "Print the completion script for bash, zsh or fish."),
    "version": Noun(
        "rancherctl.cli.version", "Show the version of rancherctl and the Kubernetes versions it installs."
    ),
    "help": Noun("rancherctl.cli.docs.topics", "Show help on a topic: annotations, environment, exit-codes or files."),
}
