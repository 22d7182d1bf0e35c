"""Key files and certificates that OpenSSH passes over in silence: absent, or damaged."""

from __future__ import annotations

from pathlib import Path

from rancherctl.hosts.ssh_settings import SshSettings, is_default_identity


def problems(settings: SshSettings) -> list[str]:
    """One line for each file of the configuration that cannot be used; files that ssh tries by itself may be absent."""
    out = []
    certificates = dict.fromkeys(Path(text) for text in settings.certificates)
    for text in settings.identities:
        path = Path(text)
        beside = path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")
        if beside.is_file():
            certificates.setdefault(beside)
        if not is_default_identity(text) and not path.is_file():
            public = path.with_name(f"{path.name}.pub").is_file()
            out.append(
                f"{path} has no private key, and the agent does not hold it" if public else f"{path} does not exist"
            )
    return [*out, *(f"{path} {problem}" for path in certificates if (problem := _certificate_problem(path)))]


def _certificate_problem(path: Path) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

    try:
        found = load_ssh_public_identity(path.read_bytes())
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (ValueError, UnsupportedAlgorithm):
        return "is damaged"
    return "" if isinstance(found, SSHCertificate) else "is not a certificate"
