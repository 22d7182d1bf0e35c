"""What happens when a fetched environment has the name of one that is already known on this machine.

A host may claim any name and any addresses: only --replace lets a fetched environment replace another one.
"""

from __future__ import annotations

from rancherctl.cli.context import CommandRun
from rancherctl.cli.sign_in import forget
from rancherctl.credentials.registry import Access
from rancherctl.credentials.user_stores import user_registry
from rancherctl.environments.fetch import Fetched
from rancherctl.environments.model import Environment
from rancherctl.errors import ConflictError, InvalidInputError, NotFoundError, RancherctlError


def resolve_name_conflict(run: CommandRun, fetched: Fetched, host: str, *, replace: bool) -> None:
    """ConflictError if the name belongs to another environment, unless ``replace``.

    ``host`` is the address connected to.

    Same certificate authority: the same environment, nothing to do. Another authority: accepted if ``host`` is a
    known control-plane host of that name, whose ssh key was checked: the environment was installed again. What is
    stored of the former one is removed, so that no token of the new one is sent to its server.
    """
    name = fetched.environment.name
    access, known = _access(run, name), _known(run, name)
    if (access is None and name not in run.known().names()) or (
        access is not None and access.ca.strip() == fetched.ca_pem.strip()
    ):
        return
    reinstalled = known is not None and host in {
        place for h in known.with_role("controlplane") for place in (h.address, h.public_address, h.ssh.host)
    }
    if not (reinstalled or replace or (access is None and known is None)):
        server = known.server() if known is not None else access.server if access is not None else ""
        raise ConflictError(
            f"another environment {name!r} is known on this machine",
            why=f"its API is {server}" + (", with another certificate authority" if access is not None else ""),
            hint="--replace forgets it on this machine; its hosts are not changed",
        )
    if known is not None and not reinstalled:
        run.say(f"file of the replaced environment {name} moved to {run.known().archive(known)}")
    forget(run, name)


def _access(run: CommandRun, name: str) -> Access | None:
    try:
        return user_registry(run.settings.dirs).load(name)
    except NotFoundError:
        return None
    except RancherctlError as error:
        run.say(f"warning: {error}")
        return None


def _known(run: CommandRun, name: str) -> Environment | None:
    try:
        return run.known().read(name)
    except (InvalidInputError, NotFoundError):
        return None  # an unreadable file is written again
