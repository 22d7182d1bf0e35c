"""paramiko's connection, with an error that says what the server offers if no algorithm fits."""

from __future__ import annotations

from typing import Any, Final

import paramiko

from rancherctl.hosts.ssh_errors import NoCommonAlgorithmError

_LISTS: Final = {
    "kex": ("kex_algo_list", "KexAlgorithms", "key exchange", "kex"),
    "host key": ("server_key_algo_list", "HostKeyAlgorithms", "host key algorithm", "key_types"),
    "ciphers": ("server_encrypt_algo_list", "Ciphers", "cipher", "ciphers"),
    "macs": ("server_mac_algo_list", "MACs", "MAC", "digests"),
}
"""Word in paramiko's message → list from the server, option of sshd_config, name, own list."""


class SshClient(paramiko.Transport):
    """Keeps the lists of algorithms that the server sent."""

    offered: dict[str, list[str]] | None = None

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> Any:
        parsed = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        self.offered = {name: list(value) for name, value in parsed.items() if isinstance(value, list)}
        return parsed

    def mismatch(self, host: str, error: Exception) -> NoCommonAlgorithmError | None:
        """The error for a server whose algorithms this program does not know; None for any other failure."""
        if not isinstance(error, paramiko.ssh_exception.IncompatiblePeer) or self.offered is None:
            return None
        for word, (field, option, what, own) in _LISTS.items():
            if word in str(error):
                known = list(getattr(self.get_security_options(), own))
                offers = [name for name in self.offered[field] if not name.startswith(("ext-info-", "kex-strict-"))]
                return NoCommonAlgorithmError(
                    f"{host}: no {what} in common with the ssh server",
                    why=f"the server offers {', '.join(offers)}",
                    hint=f"add one of these to {option} in the server's sshd_config: {', '.join(known)}",
                )
        return None
