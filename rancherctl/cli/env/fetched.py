"""Room for an environment that a host gave: it takes nobody's place unasked, for a host may say any name and any addresses."""

from __future__ import annotations

from rancherctl.cli.context import Run
from rancherctl.cli.sign_in import forget
from rancherctl.credentials.registry import Access
from rancherctl.credentials.renewal import registry
from rancherctl.environments.fetch import Fetched
from rancherctl.environments.model import Environment
from rancherctl.errors import ConflictError, InvalidInputError, NotFoundError, RancherctlError


def make_room(run: Run, fetched: Fetched, host: str, *, replace: bool) -> None:
    """ConflictError when the name is that of another environment, unless ``replace``. ``host`` is what was connected to.

    It is the same one when its authority is the known one. One that was set up anew has another: it is taken when ``host`` is one of the
    known control-plane hosts (its ssh key was checked). What is known of the former one goes, so that no token of this one is sent there.
    """
    name = fetched.environment.name
    access, known = _access(run, name), _known(run, name)
    if (access is None and name not in run.known().names()) or (
        access is not None and access.ca.strip() == fetched.ca_pem.strip()
    ):
        return
    again = known is not None and host in {
        place for h in known.with_role("controlplane") for place in (h.address, h.public_address, h.ssh.host)
    }
    if not (again or replace or (access is None and known is None)):
        where = known.server() if known is not None else access.server if access is not None else ""
        raise ConflictError(
            f"another environment {name!r} is known here",
            why=f"its API is at {where}" + (", and has another authority" if access is not None else ""),
            hint="--replace forgets that one here; on its hosts it stays",
        )
    if known is not None and not again:
        run.say(f"the file of the environment that was called {name} here is kept: {run.known().put_aside(known)}")
    forget(run, name)


def _access(run: Run, name: str) -> Access | None:
    try:
        return registry(run.settings.dirs).load(name)
    except NotFoundError:
        return None
    except RancherctlError as error:
        run.say(f"warning: {error}")
        return None


def _known(run: Run, name: str) -> Environment | None:
    try:
        return run.known().read(name)
    except (InvalidInputError, NotFoundError):
        return None  # what cannot be read is written again
