"""``rancherctl dns``: what the DNS servers of all hosts answer, hold and do."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import EnvOption, OutputOption

app = noun(
    "Query, list and check the DNS servers on the hosts.",
    "rancherctl dns lookup mongodb.default.svc",
    "rancherctl dns status",
)

HostOption = Annotated[str | None, typer.Option("--from-host", metavar="HOST", help="Ask this host's server alone.")]
PodOption = Annotated[
    str | None,
    typer.Option(
        "--from-pod",
        metavar="[NAMESPACE/]POD",
        help="Ask as this pod: through its network, with the names that it may shorten.",
    ),
]


@app.command()
def lookup(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name (SERVICE.NAMESPACE is enough), or an address for its reverse name."
        ),
    ],
    kind: Annotated[
        str, typer.Argument(metavar="[TYPE]", help="A, AAAA, SRV, PTR, TXT … (default: A; PTR for an address)")
    ] = "",
    from_host: HostOption = None,
    from_pod: PodOption = None,
    all_hosts: Annotated[
        bool, typer.Option("--all-hosts", help="Show what each server says, also when they agree.")
    ] = False,
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """Ask every host's server for a name and compare; prints the answer alone when they agree, else who differs.

    \b
    Examples:
      rancherctl dns lookup mongodb.default
      rancherctl dns lookup _http._tcp.web.default.svc.cluster.local SRV --all-hosts
      rancherctl dns lookup 10.43.0.1 --from-host h2
      rancherctl dns lookup mongodb --from-pod shop/web-0
    """
    from rancherctl.cli.dns_hosts import ask, chosen, of_pod, one_place
    from rancherctl.cli.dns_lookup import Said, show

    run = current(env=env, output=output)
    words = ["dns-query", name, *([kind] if kind else [])]
    if from_pod is not None:
        one_place(from_host=from_host, all_hosts=all_hosts)
        from_host, place = of_pod(run, env, from_pod)
        words += place
    hosts = chosen(run.environment(env), from_host)
    show(run, Said.of(ask(run, hosts, *words)), every=all_hosts)


@app.command("ls")
def list_records(
    what: Annotated[
        str, typer.Argument(metavar="[ZONE|SERVICE]", help="A zone, SERVICE, SERVICE.NAMESPACE or NAMESPACE/SERVICE.")
    ] = "",
    env: EnvOption = None,
    output: OutputOption = None,
) -> None:
    """List the records that follow from the Services and Pods of the environment now.

    \b
    Examples:
      rancherctl dns ls
      rancherctl dns ls mongodb.default
      rancherctl dns ls 43.10.in-addr.arpa
    """
    from rancherctl.cli.dns_hosts import first
    from rancherctl.output.dns import record_listing

    run = current(env=env, output=output)
    found = first(run, run.environment(env).hosts, "dns-records", *([what] if what else []))
    for service, problem in found["problems"].items():
        run.say(f"warning: service {service}: {problem}")
    run.show(record_listing(found["records"]))


@app.command()
def status(env: EnvOption = None, output: OutputOption = None) -> None:
    """Show each host's server: zones, sync with the API, records, queries, delay of changes, problems.

    LAG is how long a change took from the API to being answered (half of them, 99 of 100), UPSTREAMS how many of those that other names are
    forwarded to answer.

    \b
    Examples:
      rancherctl dns status
      rancherctl dns status -o wide
      rancherctl dns status --env prod -o json
    """
    from rancherctl.cli.dns_hosts import ask, nobody
    from rancherctl.dns.status import summary
    from rancherctl.output.dns import status_listing

    run = current(env=env, output=output)
    outcomes = ask(run, run.environment(env).hosts, "dns-status")
    rows = [summary(o.get()) for o in outcomes.values() if o.error is None]
    silence = nobody(outcomes)
    run.show(
        status_listing(rows, {o.host: str(o.error) for o in outcomes.values() if o.error is not None}),
        fail=silence is None,
    )
    if silence is not None:
        raise silence
