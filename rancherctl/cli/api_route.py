"""The route from this machine to the API of a known environment: direct, or through ssh."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rancherctl.credentials.registry import Access
from rancherctl.credentials.user_stores import user_registry
from rancherctl.environments.api_access import ApiRoute, route
from rancherctl.environments.openssh_tunnel import tunnels_of
from rancherctl.errors import RancherctlError, UsageError
from rancherctl.proxy.choice import Proxy, proxy_for
from rancherctl.settings import Dirs

DIRECT_SECONDS: Final = 2.0
"""Time limit of a direct connection: shorter than in an apply, because a person waits for the command behind it."""


@contextmanager
def api_route(access: Access, say: Callable[[str], None]) -> Iterator[ApiRoute]:
    """The route to use while the block runs: the API's own URL, else the end of a tunnel, which ``say`` announces."""
    if not access.tunnels:
        yield ApiRoute(access.server, proxy=access.proxy_for(access.server, os.environ))
        return
    with environment_route(access) as found:
        if found.through:
            say(tunnel_notice(access, found))
        yield found


def environment_route(access: Access) -> AbstractContextManager[ApiRoute]:
    """The route to an environment that this machine knows, direct or through ssh."""
    hint = f"rancherctl env status {access.name} shows which hosts and units are down"
    return route(
        access.name,
        [access.server],
        access.ca,
        tunnels_of(access),
        proxy=lambda url: access.proxy_for(url, os.environ),
        seconds=DIRECT_SECONDS,
        hint=hint,
    )


def tunnel_notice(access: Access, found: ApiRoute) -> str:
    """The line that says through which host a command connects."""
    return f"API {access.server} is not reachable directly; connecting through ssh to {found.through}"


def proxy_to(dirs: Dirs, name: str, url: str) -> Proxy | None:
    """The proxy on the way to a known environment's API; UsageError for a setting that is not the URL of a proxy."""
    try:
        return user_registry(dirs).load(name).proxy_for(url, os.environ)
    except UsageError:
        raise
    except RancherctlError:  # not signed in, or damaged: only the variables count
        return proxy_for(url, "", os.environ)
