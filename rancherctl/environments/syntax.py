"""What a name, label, address or domain may look like: each check returns "" or one line saying what is wrong. Pure."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError, ip_address

from rancherctl.contract import AGENT_PREFIX

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(_LABEL)
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_PLACE = re.compile(r"[A-Za-z0-9_:][-A-Za-z0-9_.:%+/]{0,254}")
_HOP = (
    r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,254}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?|(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]+"
)
_JUMP = re.compile(rf"(ssh://)?({_USER.pattern}@)?({_HOP})")
LONGEST_HOST = 64 - len(AGENT_PREFIX)
"""Characters of a host's name: it is part of its certificates' common names, which end at 64."""
RESERVED = ("kubernetes.io", "k8s.io", "rancherctl.io")


def name(text: str) -> str:
    """A DNS label: names of environments and hosts."""
    return (
        ""
        if _NAME.fullmatch(text)
        else f"{text!r} must be 1 to 63 lower-case letters, digits or '-', and begin and end with a letter or digit"
    )


def host_name(text: str) -> str:
    """The name of a host: a DNS label that fits into its certificates."""
    if len(text) > LONGEST_HOST and not name(text):
        return f"{text!r} is longer than {LONGEST_HOST} characters, which is what certificates have room for"
    return name(text)


def domain(text: str) -> str:
    """A DNS domain of at most 253 characters."""
    return "" if len(text) <= 253 and _DOMAIN.fullmatch(text) else f"{text!r} is not a domain name"


def address(text: str) -> str:
    """An IPv4 address that a host can have."""
    try:
        value = IPv4Address(text)
    except AddressValueError:
        return (
            f"{text!r} is an IPv6 address: hosts need IPv4 ones"
            if _is_address(text)
            else f"{text!r} is not an IPv4 address"
        )
    if value.is_loopback or value.is_unspecified or value.is_multicast or value.is_link_local:
        return f"{text} cannot be the address of a host"
    return ""


def cidr(text: str) -> str:
    """An IPv4 range in CIDR form with no host bits."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        return f"{text!r} is not an IPv4 range such as 10.42.0.0/16 ({error})"
    if str(network) != text:
        return f"{text!r} is to be written as {network}"
    if network.is_multicast or network.is_loopback or network.is_link_local:
        return f"{text} cannot be the range of pods or Services"
    return ""


def resolver(text: str) -> str:
    """An upstream resolver: an IP address; it is asked at port 53."""
    return "" if _is_address(text) else f"{text!r} is not the address of a resolver (an IP address without a port)"


def san(text: str) -> str:
    """A name or address that a certificate may carry."""
    return "" if _is_address(text) else domain(text.removeprefix("*."))


def _is_address(text: str) -> bool:
    """Without a zone: after a ``%`` the standard library takes any text, line ends and all."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def label(key: str, value: str) -> str:
    """A label that a user may give to a host or environment."""
    if not _LABEL_KEY.fullmatch(key):
        return f"{key!r} is not a label key"
    prefix = key.partition("/")[0] if "/" in key else ""
    if prefix and domain(prefix):
        return f"{key!r} is not a label key: {prefix!r} is not a domain name"
    if any(prefix == r or prefix.endswith("." + r) for r in RESERVED) and not prefix.startswith(("topology.", "node.")):
        return f"labels under {prefix}/ are set by Kubernetes or rancherctl"
    return "" if _LABEL_VALUE.fullmatch(value) else f"{value!r} is not a label value"


def user(text: str) -> str:
    """A login name."""
    return "" if _USER.fullmatch(text) else f"{text!r} is not a login name"


def canonical(text: str) -> str:
    """An IP address as everybody writes it (IPv6 has many ways), any other text as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def host_and_port(text: str) -> tuple[str, str | None]:
    """The parts of ``HOST[:PORT]``, unchecked; None where no port is named. An IPv6 address with a port stands in brackets."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") if rest else None
    host, colon, rest = text.partition(":")
    return (host, rest if colon else None) if ":" not in rest else (text, None)


def port(text: str | None) -> str:
    """The port of a flag; None = it names none."""
    fits = text is None or (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536)
    return "" if fits else f"{text!r} is not a port"


def ssh_host(text: str) -> str:
    """What ssh connects to: a name of the ssh configuration or an address."""
    return "" if _PLACE.fullmatch(text) else f"{text!r} is not a host to connect to"


def jump(text: str) -> str:
    """The hosts on the way, separated by commas, as in ssh's ProxyJump."""
    wrong = [part for part in text.split(",") if not _JUMP.fullmatch(part.strip())]
    return f"{wrong[0]!r} is not a jump host such as user@host:port" if wrong else ""


def path(text: str) -> str:
    """The path of a file on the operator's machine."""
    return "" if text.isprintable() else f"{text!r} is not a path"
