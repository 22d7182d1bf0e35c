"""``rancherctl help TOPIC``: texts that do not belong to a single command; the man pages use them, too."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.streams import out
from rancherctl.contract import ACCESS_LOG, DATA, ETC, PROGRAMS
from rancherctl.ingress.annotations.table import KNOWN
from rancherctl.text import did_you_mean

EXIT_CODES: Final[tuple[tuple[int, str], ...]] = (
    (0, "success, or nothing to show"),
    (1, "failure"),
    (2, "invalid usage or input file; nothing was changed"),
    (3, "not found"),
    (4, "authentication or authorisation failed"),
    (5, "conflict, lock held by another process, or a dangerous plan refused"),
    (6, "partial failure: some hosts or members failed"),
    (7, "unreachable"),
    (8, "env plan --exit-code: there are changes"),
    (124, "timed out"),
    (130, "interrupted by Ctrl-C, SIGTERM or SIGHUP"),
    (141, "standard output was closed"),
)

FILES: Final[tuple[tuple[str, str], ...]] = (
    (
        "~/.config/rancherctl/config.toml",
        (
            "defaults: env, output, color, progress, kubeconfig, bundle, cache_dir, "
            "sudo_password_file, verbose, debug, no_input, yes"
        ),
    ),
    ("~/.config/rancherctl/", "known environments, and the default one (`env use`)"),
    (
        "~/.local/state/rancherctl/removed/",
        (
            "files of environments that `env rm --force` forgot before all hosts were clean, "
            "or that another one of the same name replaced"
        ),
    ),
    (
        "~/.local/state/rancherctl/secrets.json",
        (
            "which secrets are in the system's keyring (service rancherctl); "
            "without a keyring also the refresh tokens (0600), never sudo passwords"
        ),
    ),
    (
        "~/.local/state/rancherctl/session-id",
        "makes the name of this home directory's sessions unique on the machine",
    ),
    (
        "~/.local/state/rancherctl/log/",
        "one log file per run, without secrets; the last 50 are kept, and the last 20 of create, apply and rm",
    ),
    ("~/.cache/rancherctl/", "short-lived tokens (0600), names for completion, bundles; may be deleted at any time"),
    ("~/.kube/config", "contexts of environments; users get tokens from an exec plug-in"),
    (f"{PROGRAMS}, {ETC}, {DATA}", "on hosts: programs, configuration, data"),
    (ACCESS_LOG, "on load-balancer hosts: the access log of Ingresses, one JSON object per line; `env rm` keeps it"),
    ("/var/lib/rancherctl-lab, /var/cache/rancherctl", "on a machine with labs: hosts of labs, root file systems"),
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
  ssh: {user: root, identity: ~/.ssh/id_ed25519, client: auto}
  hosts:
  - {name: h1, address: 10.0.0.11, publicAddress: 192.0.2.11, roles: [etcd, controlplane, worker]}
  - {name: h2, address: 10.0.0.12, publicAddress: 192.0.2.12, roles: [worker]}

metadata.labels are what federations choose their members by; `rancherctl env label` changes them. With federation: NAME
the environment joins that federation at the next apply.

network.mode is routed (routes on a shared subnet, VXLAN across subnets), vxlan (VXLAN between all hosts, for networks
that drop packets with pod addresses) or none (for another network add-on). routed and vxlan can become each other.
network.checkSeconds (default 60) is how often each host checks that its pods reach DNS, the API and pods of other
hosts; `rancherctl env status` and the condition rancherctl.io/PodNetworkReady of Nodes show what they found.
network.openFirewall: true (or --open-firewall) adds rules to hosts' firewalls (ufw, firewalld, iptables, nft) that deny
by default: they accept the hosts' addresses, pods and replies to pods. Policies and other rules stay as they are, and
ports for clients, such as 80, 443 and 6443, are not opened. `env apply` without it, and `env rm`, remove these rules.
podCIDR, serviceCIDR and dns.domain cannot be changed later. Roles are etcd, controlplane and worker; a host without
the worker role gets a NoSchedule taint. publicAddress is the address that Ingress statuses publish.
ssh is the default of all hosts; each host may have an ssh of its own: host, user, port, identity, config, knownHosts,
jump, client. ssh.client is auto, paramiko or openssh. auto connects with paramiko, and with the system's OpenSSH where
the ssh configuration of the host needs it: PKCS #11 and security keys, Kerberos or host-based logins, a ControlMaster
that is open, host keys from a command or DNS or in RevokedHostKeys, LocalCommand, ProxyUseFdpass, or algorithms that
paramiko does not have. `rancherctl env show` says which client is used for each host, and why.
dns.upstreams lists the resolvers for all other names as IP, IP:PORT or [IPv6]:PORT, best first: a host forwards to the
first one that answers; `rancherctl dns status --upstreams` shows which (default: the resolvers of each host).
dns.stubDomains maps a domain to the servers that answer its names ({corp.example: [10.0.0.53, "10.0.0.54:5353"]}).
dns.maxNegativeTTL is how many seconds hosts cache that an external name does not exist (1 to 3600, default 30).
ingress.defaultClass makes rancherctl's ingress class the default; set it to false if another class is the default.
ingress.trustedProxies lists the networks of HTTP proxies or CDNs in front of the load balancers: X-Forwarded headers
from there are kept, from elsewhere replaced. ingress.proxyProtocol lists the networks of load balancers that send the
PROXY protocol; all connections from there must have it. Both can be changed without a reload. ingress.externalNames:
deny refuses Ingresses to Services of the type ExternalName, for environments with several tenants.
ingress.tls.redirect: off ends the redirect from HTTP to HTTPS for hosts with a certificate (default: auto), except for
Ingresses that say something else in their annotation ingress.rancherctl.io/ssl-redirect.
ingress.tls.defaultCertificate: NAMESPACE/NAME is a TLS secret for clients that ask for a name without a certificate;
without it they are refused. ingress.tls.keysOnDisk: false keeps the keys of certificates in memory (below /run) on
load-balancer hosts: HTTP answers right after a reboot, HTTPS when the API can be reached. By default a host also has
them in files of its load balancer, and HTTPS answers after a reboot without the API.
ingress.accessLog says which requests are logged for Ingresses without the annotation ingress.rancherctl.io/access-log:
errors (default), all or none. Each load-balancer host has its log in /var/log/rancherctl/ingress/access.log.

`rancherctl env create NAME --host [USER@]IP[:PORT][=ROLES] ...` creates such a file and applies it;
`rancherctl env plan -f FILE` shows every change first; `rancherctl env fetch` restores the file from the hosts.
Editors can validate the file with the JSON Schema in the package: rancherctl/environments/schema.json.
"""


ANNOTATIONS: Final = """\
Annotations of an Ingress of the class rancher, with the values they take. They apply to all rules of the Ingress. An
invalid value is reported as an Event, in the annotation ingress.rancherctl.io/status and by `rancherctl ingress show`;
the rest of the Ingress is served.
"""


def _rows(rows: tuple[tuple[object, str], ...]) -> str:
    size = max(len(str(key)) for key, _ in rows) + 2
    return "".join(f"{key!s:<{size}}{text}\n" for key, text in rows)


def _annotations() -> str:
    listed = "".join(f"\n{row.name}\n  {row.allowed}\n  {row.description}\n" for row in KNOWN)
    return f"{ANNOTATIONS}{listed}"


TOPICS: Final[dict[str, str]] = {
    "annotations": _annotations(),
    "environment": ENVIRONMENT,
    "exit-codes": _rows(EXIT_CODES),
    "files": _rows(FILES),
}

app = noun("Show help on a topic: annotations, environment, exit-codes or files.")


@app.command()
def show(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="annotations, environment, exit-codes, files, or a command.")
    ],
) -> None:
    """Show help on a topic: annotations, environment, exit-codes or files.

    \b
    Examples:
      rancherctl help environment
      rancherctl help exit-codes
      rancherctl help env create
    """
    from rancherctl.cli.nouns import NOUNS
    from rancherctl.errors import UsageError

    if topic not in TOPICS:
        lists = f"topics: {', '.join(TOPICS)}; for commands: rancherctl --help"
        raise UsageError(f"no topic or command {topic!r}", hint=did_you_mean(topic, [*TOPICS, *NOUNS]) or lists)
    out(TOPICS[topic])
    current().say("\n".join(f"see also: rancherctl help {other}" for other in TOPICS if other != topic))
