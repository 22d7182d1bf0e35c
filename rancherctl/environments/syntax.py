"""Which names, labels, addresses and domains are valid: each check returns "" or what is wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from rancherctl.contract import AGENT_PREFIX, API_GROUP
from rancherctl.hosts.model import SSH_CLIENTS
from rancherctl.names import is_dns_label, is_dns_name, is_label_key, is_label_value
from rancherctl.net import is_ip, parse_ip, parse_network, parse_port, split_host_port, split_server

_USER = re.compile(r"\w(?:[-\w.@+\\]{0,253}[-\w.+])?")
_SSH_HOST = re.compile(r"[A-Za-z0-9_:][-A-Za-z0-9_.:%+/]{0,254}")
_HOP = (
    r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,254}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?|(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]+"
)
_JUMP = re.compile(rf"(ssh://)?({_USER.pattern}@)?({_HOP})")
_UNDERSCORE = re.compile(r"(?<![^.])_")
MAX_HOST_NAME = 64 - len(AGENT_PREFIX)
"""Characters of a host's name: it is part of common names in its certificates, which may have 64."""
RESERVED = ("kubernetes.io", "k8s.io", API_GROUP)


def name(text: str) -> str:
    """Name of an environment: a DNS label."""
    return (
        ""
        if is_dns_label(text)
        else f"{text!r} must be 1 to 63 lower-case letters, digits or '-', and begin and end with a letter or digit"
    )


def host_name(text: str) -> str:
    """Name of a host: a DNS label that fits into the common names of its certificates."""
    if len(text) > MAX_HOST_NAME and not name(text):
        return f"{text!r} is longer than {MAX_HOST_NAME} characters, the most that fits into its certificates"
    return name(text)


def domain(text: str) -> str:
    """A DNS domain of at most 253 characters."""
    return "" if is_dns_name(text) else f"{text!r} is not a domain name"


def address(text: str) -> str:
    """IPv4 address that a host can have."""
    try:
        value = IPv4Address(text)
    except AddressValueError:
        return f"{text!r} is an IPv6 address; hosts need IPv4" if is_ip(text) else f"{text!r} is not an IPv4 address"
    if value.is_loopback or value.is_unspecified or value.is_multicast or value.is_link_local:
        return f"{text} cannot be the address of a host"
    return ""


def cidr(text: str) -> str:
    """An IPv4 range in CIDR notation without host bits."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        return f"{text!r} is not an IPv4 range such as 10.42.0.0/16 ({error})"
    if str(network) != text:
        return f"{text!r} must be written as {network}"
    if network.is_multicast or network.is_loopback or network.is_link_local:
        return f"{text} cannot be the range of pods or Services"
    return ""


def proxy_network(text: str) -> str:
    """Address or network (IPv4 or IPv6, without host bits) of proxies in front of load balancers."""
    network = parse_network(text)
    if network is None:
        return f"{text!r} is not an IP address or a network such as 192.0.2.0/24 without host bits"
    if not network.prefixlen:
        return f"{text} is every address: list the networks of your proxies"
    return f"{text} is the host itself" if network.is_loopback else ""


def secret(text: str) -> str:
    """A Secret as ``NAMESPACE/NAME``."""
    namespace, slash, name = text.partition("/")
    if slash and is_dns_label(namespace) and is_dns_name(name):
        return ""
    return f"{text!r} is not a secret in the form NAMESPACE/NAME"


def resolver(text: str) -> str:
    """Upstream resolver as ``IP``, ``IP:PORT`` or ``[IPv6]:PORT``; the port is 53 by default."""
    place = split_server(text, 53)
    if place is None:
        return f"{text!r} is not a resolver: write IP, IP:PORT or [IPv6]:PORT"
    ip = parse_ip(place[0])
    return f"{text} cannot be a resolver" if ip is None or ip.is_unspecified or ip.is_multicast else ""


def stub_domain(text: str) -> str:
    """A domain with servers of its own; labels may begin with an underscore (``_msdcs.corp.example``)."""
    return "" if is_dns_name(_UNDERSCORE.sub("", text)) else f"{text!r} is not a domain name"


def name_server(text: str) -> str:
    """A primary name server: an IP address or a host name, with a port if it is not 53."""
    host, port = split_host_port(text)
    if port is not None and parse_port(port) is None:
        return f"{port!r} is not a port"
    return "" if is_ip(host) or is_dns_name(host) else f"{text!r} is not the address of a name server"


def san(text: str) -> str:
    """Name or address that a certificate may contain."""
    return "" if is_ip(text) else domain(text.removeprefix("*."))


def label(key: str, value: str) -> str:
    """Label of a host or environment that users may set."""
    prefix = key.partition("/")[0] if "/" in key else ""
    if not is_label_key(key):
        why = f": {prefix!r} is not a domain name" if prefix and not is_dns_name(prefix) else ""
        return f"{key!r} is not a label key{why}"
    if any(prefix == r or prefix.endswith("." + r) for r in RESERVED) and not prefix.startswith(("topology.", "node.")):
        return f"labels under {prefix}/ are set by Kubernetes or rancherctl"
    return "" if is_label_value(value) else f"{value!r} is not a label value"


def one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    """One of two words."""
    return lambda text: "" if text in known else f"must be {' or '.join(known)}, not {text!r}"


def user(text: str) -> str:
    """A login name, with or without a domain: ``ops``, ``ops@corp.example``, ``CORP\\ops``, ``ops+admin``."""
    hint = "letters, digits and _ . - + @ \\, without spaces"
    return "" if _USER.fullmatch(text) else f"{text!r} is not a login name ({hint})"


def canonical(text: str) -> str:
    """The usual spelling of an IP address; any other text unchanged."""
    ip = parse_ip(text)
    return text if ip is None else str(ip)


def ssh_host(text: str) -> str:
    """Host that ssh connects to: an address or a name in the ssh configuration."""
    return "" if _SSH_HOST.fullmatch(text) else f"{text!r} is not a valid host"


def jump(text: str) -> str:
    """Jump hosts separated by commas, as in ssh's ProxyJump."""
    wrong = [part for part in text.split(",") if not _JUMP.fullmatch(part.strip())]
    return f"{wrong[0]!r} is not a jump host such as user@host:port" if wrong else ""


def ssh_client(text: str) -> str:
    """Program that connects to hosts."""
    return "" if text in SSH_CLIENTS else f"{text!r} is not an ssh client: write {', '.join(SSH_CLIENTS)}"


def path(text: str) -> str:
    """Path of a file on the operator's machine."""
    return "" if text.isprintable() else f"{text!r} is not a path"
