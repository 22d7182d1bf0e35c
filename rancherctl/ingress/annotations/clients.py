"""Annotations about certificates of clients (mutual TLS). Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import option

CLIENTS: Final = (
    option(
        "client_ca",
        "client-ca",
        values.secret_name,
        "name of a Secret in the same namespace",
        "clients need a certificate of an authority in its key ca.crt, for the hosts that the Ingress has in tls; "
        "without the Secret requests are answered with 503, over plain HTTP with a redirect or 403",
        restricts=True,
        replaces=("auth-tls-secret", "client-ca", "ca-secret"),
    ),
    option(
        "client_verify",
        "client-verify",
        values.one_of("required", "optional"),
        "required, optional; default required",
        "optional: clients without a certificate are served, too; one that is not valid is always refused",
        restricts=True,
        needs="client_ca",
        replaces=("auth-tls-verify-client",),
    ),
    option(
        "client_headers",
        "client-cert-headers",
        values.boolean,
        "true, false; default false",
        "the service gets the headers X-SSL-Client-Verify (SUCCESS or NONE), -Subject-DN, -Issuer-DN, -Serial, -SHA1, "
        "-SHA256 and -Cert (base64 of the DER); those that a client sends are removed from every request",
        needs="client_ca",
        replaces=("auth-tls-pass-certificate-to-upstream",),
    ),
)
