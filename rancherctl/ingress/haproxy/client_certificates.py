"""Configuration lines about certificates of clients. Pure.

Each connection remembers what its handshake proved, by the name that the client asked for, and each pool says what it
needs: the word of translate/clients.proof, which changes with the authorities. HAProxy before its fixes of August 2026
resumes a session of another name without asking for a certificate (docs/haproxy-behaviour.md). So there are fences: the
list of certificates asks for one; a request for another name than that of the handshake gets 421 if the two differ in
what they prove; a pool refuses connections that prove something else or have no valid certificate; and no session is
resumed at all. A connection that was open before its authorities changed proves the earlier word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rancherctl.ingress.haproxy.responses import MISDIRECTED_RESPONSE, NO_CERTIFICATE
from rancherctl.ingress.options import TlsOptions
from rancherctl.ingress.translate.clients import NO_PROOF

MapPath = Callable[[str], str]
NAMES_MAP: Final = "client-names"
"""Name → proof. Names that are not in it prove nothing, except by a wildcard in it."""
POOL_MAP: Final = "client-pools"
"""Pool → ``required|PROOF`` or ``optional|PROOF``; pools that are not in it need nothing."""
NO_RESUMPTION_OPTIONS: Final = "no-tls-tickets"
NO_RESUMPTION_GLOBAL: Final = "  tune.ssl.cachesize 0\n"
FORGED_LINE: Final = "  http-request del-header x-ssl-client- -m beg\n"
"""Services that trust these headers may be reached through another Ingress, too."""


def name_words(options: TlsOptions, authority_file: Callable[[str], str]) -> tuple[str, ...]:
    """What a line of the crt-list says about clients."""
    if not options.authority:
        return ()
    return ("ca-file", authority_file(options.authority), "verify", options.verify)


def connection_lines(map_file: MapPath, port: int = 0) -> str:
    """Remember what the handshake proved, when it is over. ``port`` as in CrtLine."""
    return (
        "  tcp-request session set-var(sess.name) ssl_fc_sni,lower,rtrim(.)\n"
        "  tcp-request session set-var(sess.parent) var(sess.name),field(2,.,0)\n"
        f"{_proof('tcp-request session', 'sess', 'name', map_file, port)}"
    )


def request_lines(map_file: MapPath, port: int = 0) -> str:
    """Refuse requests for a name whose handshake would prove something else."""
    return (
        "  http-request set-var(txn.parent) var(txn.host),field(2,.,0)\n"
        f"{_proof('http-request', 'txn', 'host', map_file, port)}"
        f"  http-request return {MISDIRECTED_RESPONSE.arguments} if !{{ var(sess.proof),strcmp(txn.proof) eq 0 }}\n"
    )


def _proof(rules: str, scope: str, name: str, map_file: MapPath, port: int) -> str:
    """Set the variable ``proof`` of a scope, by its variables ``name`` and ``parent``."""
    file, proof = map_file(NAMES_MAP), f"var({scope}.proof)"
    own, end = (f",concat(:{port})", f",:{port}") if port else ("", "")
    wildcard = f"str(*.),concat(,{scope}.parent{end}),map_str({file},{NO_PROOF})"
    return (
        f"  {rules} set-{proof} var({scope}.{name}){own},map_str({file})\n"
        f"  {rules} set-{proof} {wildcard} if !{{ {proof} -m found }}\n"
    )


def pool_lines(map_file: MapPath) -> list[str]:
    """Lines of every profile with options: who may use the pool. Plain connections prove nothing.

    Most pools need nothing: each line asks that first.
    """
    refuse = f"http-request deny {NO_CERTIFICATE.arguments} if"
    return [
        f"http-request set-var(txn.client) be_name,map_str({map_file(POOL_MAP)})",
        "acl client_asked var(txn.client) -m found",
        "http-request set-var(txn.needed) var(txn.client),field(2,|) if client_asked",
        "acl client_proved var(sess.proof),strcmp(txn.needed) eq 0",
        "acl client_shown ssl_c_used",
        f"{refuse} client_asked !client_proved",
        f"{refuse} client_asked client_shown !{{ ssl_c_verify 0 }}",
        f"{refuse} client_asked {{ var(txn.client) -m beg required| }} !client_shown",
    ]


_HEADERS: Final = {
    "Verify": "SUCCESS",
    "Subject-DN": "%[ssl_c_s_dn(,0,rfc2253)]",
    "Issuer-DN": "%[ssl_c_i_dn(,0,rfc2253)]",
    "Serial": "%[ssl_c_serial,hex]",
    "SHA1": "%[ssl_c_sha1,hex]",
    "SHA256": "%[ssl_c_der,sha2(256),hex]",
    "Cert": "%[ssl_c_der,base64]",
}


def header_lines() -> list[str]:
    """Tell the service about the certificate, after ``pool_lines``.

    Servers that hand headers to programs as variables take an underscore for a hyphen.
    """
    return [
        "http-request del-header ^x[-_]ssl[-_]client[-_] -m reg",
        *(f"http-request set-header X-SSL-Client-{name} {value} if client_shown" for name, value in _HEADERS.items()),
        "http-request set-header X-SSL-Client-Verify NONE if !client_shown",
    ]
