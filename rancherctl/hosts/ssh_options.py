"""Options of a resolved ssh configuration that only OpenSSH itself can carry out. Pure.

Source: ssh_config(5). An option is listed if ``ssh HOST`` behaves differently with it, and paramiko would ignore it.
Not listed, because a login does not depend on them: forwards, terminals, environment, compression, CheckHostIP (older
releases of OpenSSH set it for every host), AddKeysToAgent, UpdateHostKeys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from rancherctl.net import parse_ip

_OFF: Final = ("", "no", "false", "none")
_CERTIFICATE: Final = "-cert-v01@openssh.com"

KEX: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "3des-cbc",
)
"""The fastest first."""
MACS: Final = (
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1",
    "hmac-md5",
    "hmac-sha1-96",
    "hmac-md5-96",
)
KEYS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
KEYS_AND_CERTIFICATES: Final = (*KEYS, *(key + _CERTIFICATE for key in KEYS))


class Keywords:
    """Values of resolved keywords (lower case), each with the default that OpenSSH has."""

    def __init__(self, found: Mapping[str, Sequence[str]]) -> None:
        self._found = found

    def one(self, *names: str, default: str = "") -> str:
        """The value of the first of these keywords that is set; ``none`` counts as not set."""
        values = (self._found[name][0] for name in names if self._found.get(name))
        return next((value for value in values if value.lower() != "none"), default)

    def on(self, *names: str, default: bool = False) -> bool:
        """Whether an option is switched on."""
        return self.one(*names, default="yes" if default else "no").lower() not in _OFF

    def words(self, *names: str) -> tuple[str, ...]:
        """The words of a list separated by commas."""
        return tuple(word.strip() for word in self.one(*names).split(",") if word.strip())

    def methods(self) -> tuple[str, ...]:
        """The login methods of PreferredAuthentications that are switched on, in their order."""
        switches = {
            "gssapi-with-mic": self.on("gssapiauthentication"),
            "gssapi-keyex": self.on("gssapikeyexchange"),
            "hostbased": self.on("hostbasedauthentication"),
            "publickey": self.keys(),
            "keyboard-interactive": self.on(
                "kbdinteractiveauthentication", "challengeresponseauthentication", default=True
            ),
            "password": self.on("passwordauthentication", default=True),
        }
        return tuple(method for method in self.words("preferredauthentications") if switches.get(method))

    def keys(self) -> bool:
        """Whether keys are used for the login."""
        preferred = self.words("preferredauthentications")
        return self.on("pubkeyauthentication", default=True) and (not preferred or "publickey" in preferred)


@dataclass(frozen=True, slots=True)
class _Option:
    """``needs`` returns what the configuration needs in words, or "". ``direct``: only without a proxy."""

    needs: Callable[[Keywords], str]
    direct: bool = False


def allowed(own: Sequence[str], configured: Sequence[str]) -> tuple[str, ...]:
    """The algorithms of ``own`` that a configured list allows; all of them if it only adds to OpenSSH's or takes away.

    Empty if the list has none of them.
    """
    if not configured or configured[0][:1] in ("+", "-", "^"):
        return tuple(own)
    return tuple(name for name in own if any(fnmatchcase(name, pattern) for pattern in configured))


def openssh_only(found: Mapping[str, Sequence[str]], host: str, *, proxied: bool) -> tuple[str, ...]:
    """What the resolved keywords need and paramiko cannot do, each in words; empty if paramiko is enough.

    ``host`` is the address that ssh connects to; ``proxied``: through a jump host or a ProxyCommand.
    """
    keywords = Keywords(found)
    reasons = [option.needs(keywords) for option in _OPTIONS if not (option.direct and proxied)]
    if keywords.on("nohostauthenticationforlocalhost") and _is_loopback(host):
        reasons.append("NoHostAuthenticationForLocalhost")
    return tuple(reason for reason in reasons if reason)


def _set(title: str, *, default: str = "", shown: bool = True) -> _Option:
    """An option with a value, which is shown unless it is a command."""

    def needs(keywords: Keywords) -> str:
        value = keywords.one(title.lower())
        return "" if value.lower() in ("", default) else f"{title} {value}" if shown else title

    return _Option(needs)


def _on(title: str, switch: str = "", value: str = "") -> _Option:
    """A switch, perhaps one that matters only if another option has a value."""

    def needs(keywords: Keywords) -> str:
        on = keywords.on((switch or title).lower()) and (not value or bool(keywords.one(value.lower())))
        return title if on else ""

    return _Option(needs)


def _algorithms(own: Sequence[str], title: str, *older: str) -> _Option:
    """A list of algorithms."""

    def needs(keywords: Keywords) -> str:
        configured = keywords.words(title.lower(), *older)
        return "" if allowed(own, configured) else f"{title} without any that paramiko has"

    return _Option(needs)


def _first_method(keywords: Keywords) -> str:
    first = next(iter(keywords.methods()), "")
    return f"PreferredAuthentications beginning with {first}" if first not in ("", "publickey", "password") else ""


def _accepted_keys(keywords: Keywords) -> str:
    option = _algorithms(KEYS_AND_CERTIFICATES, "PubkeyAcceptedAlgorithms", "pubkeyacceptedkeytypes")
    return option.needs(keywords) if keywords.keys() else ""


def _verify_dns(keywords: Keywords) -> str:
    # with "ask" OpenSSH only shows what it found
    return "VerifyHostKeyDNS" if keywords.one("verifyhostkeydns").lower() in ("yes", "true") else ""


def _is_loopback(host: str) -> bool:
    address = parse_ip(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


_OPTIONS: Final = (
    _set("PKCS11Provider"),
    _set("SecurityKeyProvider", default="internal"),
    # not GSSAPIAuthentication: Debian and Fedora set it for every host, whether or not there is a Kerberos ticket
    _on("GSSAPIKeyExchange"),
    _on("HostbasedAuthentication"),
    _Option(_first_method),
    _set("RevokedHostKeys"),
    _set("KnownHostsCommand", shown=False),
    _Option(_verify_dns),
    _on("ProxyUseFdpass", value="ProxyCommand"),
    _on("LocalCommand", switch="PermitLocalCommand", value="LocalCommand"),
    replace(_set("BindInterface"), direct=True),
    _algorithms(KEX, "KexAlgorithms"),
    _algorithms(CIPHERS, "Ciphers"),
    _algorithms(MACS, "MACs"),
    _algorithms(KEYS_AND_CERTIFICATES, "HostKeyAlgorithms"),
    _Option(_accepted_keys),
)
