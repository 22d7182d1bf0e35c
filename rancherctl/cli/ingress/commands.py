"""``rancherctl ingress``: the commands of the noun, in the order of its help."""

from __future__ import annotations

from rancherctl.cli.groups import noun
from rancherctl.cli.ingress import check_commands, plan_command, scale_command, show_commands

HELP = """\
Show, scale and check Ingresses, and the hosts that serve them.

rancherctl serves Ingresses of the class rancher, and those without a class. The annotation scale (or
ingress.rancherctl.io/scale) sets on how many load-balancer hosts an Ingress runs; the default is 1. The addresses of
these hosts are published in its status. Two more annotations choose the hosts:
io.rancher.scheduler.affinity.host_label: "KEY=VALUE,..." allows only hosts whose Nodes have these labels, and
io.rancher.scheduler.global: "true" selects every load-balancer host. A Node with the label
node.kubernetes.io/exclude-from-external-load-balancers carries none. More annotations decide how requests are
answered: timeouts, redirects, access lists, sticky sessions and others; `rancherctl help annotations` lists them all.
Requests and responses may have 28 KB of headers.

An exact host name takes precedence over a wildcard (which matches one label), and a wildcard over a rule without a
host. Then the longest path wins; of two equally long paths, Exact wins over Prefix. Prefix compares whole path
elements. ImplementationSpecific means Prefix. Paths are case-sensitive and are compared as written, percent encoding
included. Requests that match no rule get the default backend, or status 404. If a service has no ready endpoint,
requests for it get status 503. If several Ingresses claim the same path, the oldest one serves it.

An entry of tls with a secret of the type kubernetes.io/tls makes the hosts of the Ingress answer HTTPS on port 443, and
redirect HTTP requests there with status 308; annotations change that. The oldest Ingress with a secret for a host name
chooses its certificate, and what its annotations say about TLS counts. The annotations http.port and https.port choose
other ports, which must be free on the hosts; allow.http: "false" serves HTTPS only.

`rancherctl ingress certs` lists all certificates, and with --on those on the disk of one host.

Requests that were refused, interrupted or answered with 500 and above are logged as JSON on the hosts that served them,
in /var/log/rancherctl/ingress/access.log; the annotation ingress.rancherctl.io/access-log chooses all or none.

Problems of an Ingress are reported as Events, in its annotation ingress.rancherctl.io/status, and by `rancherctl
ingress show`.
"""
app = noun(HELP, "rancherctl ingress ls", "rancherctl ingress scale scalelb 3 --wait", "rancherctl ingress status")

app.command("ls")(show_commands.list_ingresses)
app.command("show")(show_commands.show)
app.command("scale")(scale_command.scale)
app.command("status")(check_commands.status)
app.command("certs")(check_commands.certs)
app.command("plan")(plan_command.plan)
