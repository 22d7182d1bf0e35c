"""``rancherctl dns``: look up names, list records and show the state of the DNS servers on all hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.groups import noun
from rancherctl.cli.options import AllowExecOption, ContextOption, EnvOption, OutputOption, TimeoutOption

ONE_MINUTE = Duration(60.0)
app = noun(
    "Query, list and check the DNS servers on the hosts.",
    "rancherctl dns lookup mongodb.default.svc",
    "rancherctl dns status",
)

HostOption = Annotated[str | None, typer.Option("--from-host", metavar="HOST", help="Query only this host's server.")]
PodOption = Annotated[
    str | None,
    typer.Option(
        "--from-pod",
        metavar="[NAMESPACE/]POD",
        help="Query as this pod: from its network, with its search list.",
    ),
]


@app.command()
def lookup(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Name (SERVICE.NAMESPACE is enough), or IP address for a reverse lookup."),
    ],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[TYPE]", help="Record type: A, AAAA, SRV, PTR, TXT, … (default: A; PTR for an IP address)."
        ),
    ] = "",
    from_host: HostOption = None,
    from_pod: PodOption = None,
    all_hosts: Annotated[
        bool, typer.Option("--all-hosts", help="Show the answer of every server, even if they agree.")
    ] = False,
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """Look up a name on every host's DNS server and compare the answers.

    Prints only the answer if all servers agree, else the answer of each server.

    \b
    Examples:
      rancherctl dns lookup mongodb.default
      rancherctl dns lookup _http._tcp.web.default.svc.cluster.local SRV --all-hosts
      rancherctl dns lookup 10.43.0.1 --from-host h2
      rancherctl dns lookup mongodb --from-pod shop/web-0
    """
    from rancherctl.cli.dns_hosts import pod_source, query_hosts, require_single_source, select_hosts
    from rancherctl.cli.dns_lookup import HostAnswers, show

    run = current(env=env, output=output)
    words = ["dns-query", name, *([kind] if kind else [])]
    if from_pod is not None:
        require_single_source(from_host=from_host, all_hosts=all_hosts)
        from_host, place = pod_source(run, env, from_pod)
        words += place
    hosts = select_hosts(run.environment(env), from_host)
    show(run, HostAnswers.of(query_hosts(run, hosts, *words)), every=all_hosts)


@app.command()
def explain(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name as a program in a pod would ask for it, or an IP address.")
    ],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[TYPE]", help="Record type. (default: A and AAAA; SRV for _PORT._PROTOCOL…; PTR for an IP address)"
        ),
    ] = "",
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace", "-n", metavar="NAMESPACE", help="Ask as a pod of this namespace. (default: default)"
        ),
    ] = "",
    from_pod: Annotated[
        str | None,
        typer.Option(
            "--from-pod",
            metavar="[NAMESPACE/]POD",
            help="Ask as this pod: from its network, with its /etc/resolv.conf.",
        ),
    ] = None,
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """Explain how a name resolves, or why it does not.

    Shows every name that the search list makes of it, in the order in which they are asked, who answered each (zone,
    cache, upstream) and whether all hosts agree; the Service, EndpointSlice, endpoint or pod that made each record; and
    the reason why a name has no answer. A name outside the cluster is also asked of each upstream resolver.

    Exits as `dns lookup` does: 3 if the name does not resolve, 5 if servers differ, 6 if hosts are missing.

    \b
    Examples:
      rancherctl dns explain web.shop
      rancherctl dns explain mongodb --from-pod shop/web-0
      rancherctl dns explain _http._tcp.web.shop -n shop -o json
    """
    from rancherctl.cli import dns_explain

    dns_explain.explain(current(env=env, output=output), env, name, kind, namespace, from_pod)


@app.command("ls")
def list_records(
    what: Annotated[
        str, typer.Argument(metavar="[ZONE|SERVICE]", help="Zone, SERVICE, SERVICE.NAMESPACE or NAMESPACE/SERVICE.")
    ] = "",
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """List the DNS records of the environment's Services and Pods.

    \b
    Examples:
      rancherctl dns ls
      rancherctl dns ls mongodb.default
      rancherctl dns ls 43.10.in-addr.arpa
    """
    from rancherctl.cli.dns_hosts import first_answer
    from rancherctl.output.dns import record_listing

    run = current(env=env, output=output)
    found = first_answer(run, run.environment(env).hosts, "dns-records", *([what] if what else []))
    for service, problem in found["problems"].items():
        run.say(f"warning: service {service}: {problem}")
    run.show(record_listing(found["records"]))


@app.command()
def status(
    upstreams: Annotated[
        bool, typer.Option("--upstreams", help="List the upstream resolvers of each host instead.")
    ] = False,
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """Show the DNS server of each host: zones, sync with the API, records, queries, update delay, problems.

    LAG is the time from a change in the API until the server answers it (median/99th percentile). UPSTREAMS is the
    number of upstream resolvers that answer. --upstreams lists them: a host forwards to the first one that answers,
    and to the servers of a stub domain (DOMAIN) for its names.

    \b
    Examples:
      rancherctl dns status
      rancherctl dns status --upstreams
      rancherctl dns status --env prod -o json
    """
    from rancherctl.cli.dns_hosts import query_hosts, unreachable_error
    from rancherctl.dns.status import summary, upstream_rows
    from rancherctl.output.dns import status_listing, upstream_listing

    run = current(env=env, output=output)
    outcomes = query_hosts(run, run.environment(env).hosts, "dns-status")
    found = [o.get() for o in outcomes.values() if o.error is None]
    failures = {o.host: str(o.error) for o in outcomes.values() if o.error is not None}
    unreachable = unreachable_error(outcomes)
    if upstreams:
        listing = upstream_listing([row for one in found for row in upstream_rows(one)], failures)
    else:
        listing = status_listing([summary(one) for one in found], failures)
    run.show(listing, fail=unreachable is None)
    if unreachable is not None:
        raise unreachable


@app.command()
def verify(
    server: Annotated[
        str,
        typer.Option(
            "--server",
            metavar="IP[:PORT]",
            help="Ask this server from here, not the servers of all hosts. Any cluster DNS.",
        ),
    ] = "",
    domain: Annotated[
        str,
        typer.Option(
            "--domain", metavar="DOMAIN", help="The cluster domain. (default: the environment's; cluster.local)"
        ),
    ] = "",
    timeout: TimeoutOption = ONE_MINUTE,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Check DNS servers against the Kubernetes DNS specification 1.1.0.

    Creates a namespace with Services and hand-made EndpointSlices (no pods), asks each question of the list until it is
    answered as specified or the time limit has passed, and removes the namespace again.

    By default the server of each host is asked, at each of its addresses. With --server, any cluster DNS is checked
    that can be reached from here; the objects are created in the environment, or with --context in any cluster.

    Exits with 0 if all checks pass, else with 1. Checks for IPv6 cluster addresses are skipped in IPv4 clusters.

    \b
    Examples:
      rancherctl dns verify
      rancherctl dns verify -o json --timeout 2m
      rancherctl dns verify --context kind-kind --server 127.0.0.1:5300
    """
    from rancherctl.cli import dns_verify

    target = dns_verify.Target(env, context, allow_exec)
    dns_verify.verify(current(env=env, output=output), target, server=server, domain=domain, timeout=float(timeout))
