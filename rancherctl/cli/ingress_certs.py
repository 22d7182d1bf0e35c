"""Read what ``ingress certs`` and its siblings say about certificates: from the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rancherctl.cli.context import CommandRun
from rancherctl.errors import InvalidInputError

if TYPE_CHECKING:
    from rancherctl.ingress.operator.api_view import ApiView
    from rancherctl.ingress.operator.certificates import CertificateView
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
    return CertificateView(view, api_view.read_tls_secrets(client, namespaces), default, time.time())
