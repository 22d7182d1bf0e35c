"""Read what ``ingress certs`` and its siblings say about certificates: from the API, or from a host's disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.errors import (
    AuthError,
    InvalidInputError,
    RancherctlError,
    UnhealthyError,
    UnreachableError,
    UsageError,
)

if TYPE_CHECKING:
    from rancherctl.hosts.model import Host
    from rancherctl.ingress.model import Translated
    from rancherctl.ingress.operator.api_view import ApiView
    from rancherctl.ingress.operator.certificates import CertificateView, Use
    from rancherctl.ingress.operator.host_certificates import HostCertificates
    from rancherctl.kube.client import KubeClient


def default_certificate(run: CommandRun, env: str | None, context: str) -> str | None:
    """The secret of the environment's default certificate; "" = none, None = its file is not here or not valid."""
    if context:
        return None
    try:
        return run.environment(env).ingress.default_certificate
    except InvalidInputError:  # which the `env` commands report
        return None


def certificate_view(
    run: CommandRun, client: KubeClient, view: ApiView, env: str | None, context: str, *, namespace: str = ""
) -> CertificateView:
    """The certificates of the Ingresses of ``view`` (in ``namespace``). AuthError if secrets are not readable."""
    from rancherctl.ingress.operator import api_view
    from rancherctl.ingress.operator.certificates import CertificateView

    default = default_certificate(run, env, context)
    namespaces = {namespace, *([default.partition("/")[0]] if default else [])} if namespace else set()
    secrets = api_view.read_tls_secrets(client, namespaces)
    read = partial(api_view.read_purpose_secrets, client, namespaces=namespaces)
    return CertificateView(view, secrets, default, time.time(), read)


def readable_view(
    run: CommandRun, client: KubeClient, view: ApiView, env: str | None, context: str, ingresses: Sequence[Translated]
) -> CertificateView:
    """The certificates of these Ingresses. Secrets that are not readable are unknown, which is said on stderr."""
    from rancherctl.ingress.operator import api_view
    from rancherctl.ingress.operator.certificates import CertificateView, claim_of
    from rancherctl.ingress.operator.overview import cluster_of

    default = default_certificate(run, env, context)
    keys = [t.key for t in ingresses if t.tls]
    claims = cluster_of(view).claims
    # A name may belong to an older Ingress of another namespace: then its secret counts.
    owners = {claim.owner for t in ingresses for name in t.tls if (claim := claim_of(claims, t, name))}
    namespaces = {key.partition("/")[0] for key in (*keys, *owners, *([default] if default else []))}
    if not keys:
        return CertificateView(view, {}, default, time.time())
    try:
        secrets = api_view.read_tls_secrets(client, namespaces)
    except AuthError as error:
        run.say(f"note: certificates are not compared with their secrets: {error}")
        return CertificateView(view, None, default, time.time())
    read = partial(api_view.read_purpose_secrets, client, namespaces=namespaces)
    return CertificateView(view, secrets, default, time.time(), read)


def show_host(run: CommandRun, name: str, warn_days: int, env: str | None, context: str, namespace: str) -> None:
    """Print the certificates on a host's disk, read over ssh.

    UnhealthyError if one has a problem. If the host does not answer: the copies made for it, then UnreachableError.
    """
    from rancherctl.cli.dns_hosts import select_hosts
    from rancherctl.ingress.operator import host_certificates
    from rancherctl.output.ingress import certificate_file_listing

    for option in filter(None, (context and "--context", namespace and "--namespace")):
        raise UsageError(
            f"--on cannot be combined with {option}",
            why="it reads everything on the disk of a host, over ssh, of an environment that this machine knows",
            hint=f"leave out {option}",
        )
    environment = run.environment(env)
    (host,) = select_hosts(environment, name)
    lost: UnreachableError | None = None
    try:
        found = _read_host(run, host)
    except UnreachableError as error:
        lost, found = error, host_certificates.HostCertificates(())
    uses: dict[str, Use] = {}
    try:
        uses, copies = _of_api(run, env, host.name)
    except RancherctlError as error:
        run.say(f"note: cannot say which ingresses use the secrets: {error}")
    else:
        found = copies if lost else found
    if not environment.ingress.keys_on_disk:
        run.say("note: keys of certificates are in the memory of hosts only (ingress.tls.keysOnDisk: false)")
    if found.problem:
        run.say(f"note: {host.name}: {found.problem}")
    if lost is None or found.files:
        listing = certificate_file_listing(host.name, host_certificates.rows(found, uses, time.time(), warn_days))
        run.show(listing, error=UnhealthyError, fail=lost is None)
    if lost is not None:
        raise UnreachableError(
            f"cannot read the disk of {host.name}",
            why=lost.what if not lost.why else str(lost),
            hint="these are the certificates that were sent to it: replace them if the host is lost"
            if found.files
            else lost.hint,
        ) from lost


def _read_host(run: CommandRun, host: Host) -> HostCertificates:
    from rancherctl.events import busy
    from rancherctl.ingress.operator import host_certificates

    with (
        run.progress() as emit,
        run.connections() as connections,
        busy(emit, "ingress", "reading certificates", host.name),
    ):
        return host_certificates.read(connections.transport(host))


def _of_api(run: CommandRun, env: str | None, host: str) -> tuple[dict[str, Use], HostCertificates]:
    """Which Ingresses use which secret, and the copies that the API has for a host."""
    from rancherctl.cli.api import api
    from rancherctl.contract import COPY_LABEL, host_namespace
    from rancherctl.ingress.operator import api_view, host_certificates
    from rancherctl.ingress.operator.certificates import CertificateView
    from rancherctl.kube.client import SECRETS
    from rancherctl.kube.objects import tls_secret

    with api(run, env) as client:
        view = CertificateView(api_view.read_api(client), {}, default_certificate(run, env, ""), time.time())
        copies = client.list(SECRETS, namespace=host_namespace(host), label_selector=f"{COPY_LABEL}=tls")
    return view.uses(view.cluster.translated), host_certificates.of_copies(map(tls_secret, copies.items))
