"""Entry point of agent.pyz on hosts: the commands ``agent``, ``controller``, ``dns-query`` …

systemd units start it; the command line calls it over ssh.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rancherctl import __version__
from rancherctl.agents import config as config_module
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.logs import setup
from rancherctl.errors import RancherctlError

SWITCH_SECONDS = 0.0005
"""How long a role may compute while another one waits for the interpreter. Python's default is ten times as long.

One change of a Service wakes several roles. An update of DNS waits for its server three times, and after each wait it
would have to wait for the roles that compute.
"""


def _agent(config: AgentConfig, _: argparse.Namespace) -> int:
    from rancherctl.agents.agent import Agent, connect, stop_event
    from rancherctl.agents.notify import notify
    from rancherctl.agents.role_registry import build_roles
    from rancherctl.hosts.local import LocalTransport

    sys.setswitchinterval(SWITCH_SECONDS)
    transport = LocalTransport(config.node)
    address = os.environ.get("NOTIFY_SOCKET", "")
    client = connect(config, transport, f"rancherctl-agent/{__version__}")
    Agent(config, lambda relist: build_roles(config, transport, relist), client, lambda m: notify(address, m)).run(
        stop_event()
    )
    return 0


def _controller(config: AgentConfig, options: argparse.Namespace) -> int:
    from rancherctl.agents.agent import stop_event
    from rancherctl.agents.environment_controllers import environment_process
    from rancherctl.agents.notify import notify

    address = os.environ.get("NOTIFY_SOCKET", "")
    environment_process(config, options.identity or config.node, lambda m: notify(address, m)).run(stop_event())
    return 0


def _federation(config: AgentConfig, options: argparse.Namespace) -> int:
    from rancherctl.agents.agent import stop_event
    from rancherctl.agents.federation_process import federation_process
    from rancherctl.agents.notify import notify

    address = os.environ.get("NOTIFY_SOCKET", "")
    federation_process(config, options.identity or config.node, lambda m: notify(address, m)).run(stop_event())
    return 0


def _network_restore(config: AgentConfig, _: argparse.Namespace) -> int:
    from rancherctl.hosts.local import LocalTransport
    from rancherctl.network.host_role import config as network_config
    from rancherctl.network.reconcile import restore

    state = restore(LocalTransport(config.node), network_config(config))
    sys.stderr.write(f"restored {len(state.routes)} routes and DNS addresses {', '.join(state.dns_addresses)}\n")
    return 0


def _renew_certificates(config: AgentConfig, options: argparse.Namespace) -> int:
    import time

    from rancherctl.agents import certificates
    from rancherctl.hosts.local import LocalTransport

    wanted = certificates.load(Path(options.words[0]) if options.words else certificates.PATH)
    certificates.renew_due(LocalTransport(config.node), wanted, time.time())
    return 0


def _prune_versions(_: AgentConfig, __: argparse.Namespace) -> int:
    from rancherctl.agents.prune_versions import prune

    if removed := prune():
        sys.stderr.write(f"removed old versions of the agent: {', '.join(removed)}\n")
    return 0


def _dns(config: AgentConfig, options: argparse.Namespace) -> int:
    from rancherctl.agents.agent import connect
    from rancherctl.dns import host
    from rancherctl.dns.model import DnsHostConfig
    from rancherctl.dns.trace import Client
    from rancherctl.hosts.local import LocalTransport

    dns, first, second = DnsHostConfig.of(config), *[*options.words, "", ""][:2]
    if options.command == "dns-query":
        out = host.query(dns, first, second, tuple(options.server), host.Place(options.pod_address, options.namespace))
    elif options.command == "dns-explain":
        out = host.explain(
            dns, first, second, Client(options.namespace or "default", options.pod_address, options.pod_uid)
        )
    elif options.command == "dns-ask":
        out = host.answers(dns, options.words)
    elif options.command == "dns-status":
        out = host.state(dns)
    else:
        with connect(config, LocalTransport(config.node), f"rancherctl-agent/{__version__}") as client:
            out = host.records(client, dns, first)
    sys.stdout.write(json.dumps(out) + "\n")
    return 0


def _access_log(_: AgentConfig, __: argparse.Namespace) -> int:
    from rancherctl.ingress import log_reader

    log_reader.run()
    return 0


def _pod_endpoint(config: AgentConfig, _: argparse.Namespace) -> int:
    from rancherctl.agents.notify import notify
    from rancherctl.pod_paths import endpoint

    address = os.environ.get("NOTIFY_SOCKET", "")
    return endpoint.run(config.node, endpoint.runtime_socket(), lambda message: notify(address, message))


def _pod_paths(config: AgentConfig, options: argparse.Namespace) -> int:
    from rancherctl.hosts.local import LocalTransport
    from rancherctl.pod_paths.now import check_now
    from rancherctl.pod_paths.reconcile import path_config

    found = check_now(path_config(config), LocalTransport(config.node), options.words)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


COMMANDS = {
    "access-log": _access_log,
    "agent": _agent,
    "controller": _controller,
    "federation": _federation,
    "network-restore": _network_restore,
    "pod-endpoint": _pod_endpoint,
    "pod-paths": _pod_paths,
    "renew-certificates": _renew_certificates,
    "tidy": _prune_versions,
    "dns-query": _dns,
    "dns-explain": _dns,
    "dns-ask": _dns,
    "dns-status": _dns,
    "dns-records": _dns,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent.pyz", description="rancherctl on a host; started by systemd units")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument(
        "words",
        nargs="*",
        help="dns-query, dns-explain: NAME [TYPE]; dns-ask: NAME/TYPE…; dns-records: [ZONE|SERVICE]; "
        "renew-certificates: [FILE]; "
        "pod-paths: NODE=ADDRESS ...",
    )
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        help="dns-query: ask this server instead of the host's own (may be repeated)",
    )
    parser.add_argument(
        "--pod-address",
        default="",
        help="dns-query, dns-explain: ask from the network namespace of the pod with this address",
    )
    parser.add_argument("--pod-uid", default="", help="dns-explain: read the resolv.conf of the pod with this UID")
    parser.add_argument(
        "--namespace", default="", help="dns-query, dns-explain: the pod's namespace, for names relative to it"
    )
    parser.add_argument("--config", type=Path, default=config_module.PATH)
    parser.add_argument(
        "--identity", default="", help="controller: identity in the leader election (default: the node's name)"
    )
    parser.add_argument("--debug", action="store_true")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command; a known error becomes one line on standard error and its exit code."""
    options = _parser().parse_args(argv)
    setup(debug=options.debug)
    try:
        return COMMANDS[options.command](config_module.load(options.config), options)
    except RancherctlError as error:
        sys.stderr.write(f"<3>{error}{f' ({error.hint})' if error.hint else ''}\n")
        return error.exit_code
