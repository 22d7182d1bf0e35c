"""``rancherctl env host-drain`` and ``host-undrain``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.options import AllowExecOption, ContextOption, EnvOption, NoWaitOption, OutputOption, duration_value
from rancherctl.errors import TimeoutExceededError

ONE_MINUTE, TEN_MINUTES = Duration(60), Duration(600)
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Name of the host.")]


def host_drain(
    host: HostArgument,
    limit: Annotated[
        Duration,
        typer.Option(
            "--limit",
            metavar="TIME",
            parser=duration_value,
            help="How long to wait until other hosts serve and connections are closed.",
        ),
    ] = TEN_MINUTES,
    dns: Annotated[
        Duration,
        typer.Option(
            "--dns",
            metavar="TIME",
            parser=duration_value,
            help="How long clients may use the address after it left the statuses.",
        ),
    ] = ONE_MINUTE,
    force: Annotated[
        bool, typer.Option("--force", help="Also if an Ingress or a Service loses its last address.")
    ] = False,
    no_wait: NoWaitOption = False,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Take a host out as a load balancer: other hosts take over, then its address leaves all statuses.

    It goes on to serve clients with older DNS answers (--dns), of Ingresses and of Services. Then its load balancer
    finishes open connections and stops to listen; after 10 minutes it closes them. Pods stay: `kubectl drain HOST`
    moves them. Can be repeated and interrupted; `rancherctl env host-undrain HOST` puts the host back.

    \b
    Examples:
      rancherctl env host-drain h2
      rancherctl env host-drain h2 --dns 5m --limit 30m
      rancherctl env host-drain h2 --no-wait
    """
    from rancherctl.cli.api import api
    from rancherctl.events import Event
    from rancherctl.polling import Tolerant, poll_until
    from rancherctl.services.operator import host_drain as drain

    run = current(env=env, output=output)
    where = f" --context {context}" if context else f" --env {env}" if env else ""
    undrain = f"rancherctl env host-undrain {host}{where}"
    with api(run, env, context, allow_exec) as client, run.progress() as emit:
        drain.begin(client, view := drain.read(client), host, dns=max(1, round(dns)), force=force)
        if no_wait:
            run.say(f"{host} is being drained")
            run.next(undrain)
            return
        seen = [""]

        def finished() -> bool:
            now = drain.read(client)
            found = drain.progress(now, host)
            if (text := found.text(now.host(host))) != seen[0]:
                seen[0] = text
                emit(Event("drain", text, host))
            return found.done

        done = poll_until(Tolerant(finished), limit)
    if not done:
        raise TimeoutExceededError(
            f"{host} is not drained after {limit}",
            why=seen[0],
            hint=f"run the same command again to wait longer; {undrain} puts the host back",
        )
    run.say(f"{host} ({view.host(host).address}) serves no clients any more")
    run.next(f"kubectl drain {host} --ignore-daemonsets", undrain)


def host_undrain(
    host: HostArgument,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Let a host carry load balancers again after `rancherctl env host-drain`.

    \b
    Examples:
      rancherctl env host-undrain h2
      rancherctl env host-undrain h2 --env prod
    """
    from rancherctl.cli.api import api
    from rancherctl.services.operator import host_drain as drain

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        drain.read(client).host(host)
        excluded = drain.end(client, host)
    run.say(f"{host} may carry load balancers again")
    if excluded:
        from rancherctl.contract import EXCLUDE_LABEL

        run.say(f"note: the label {EXCLUDE_LABEL} of its Node still excludes it")
