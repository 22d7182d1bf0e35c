"""The route from this machine to the API of a known environment: direct, or through ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rancherctl.credentials.registry import Access
from rancherctl.environments.api_access import ApiRoute, route
from rancherctl.environments.openssh_tunnel import tunnels_of

DIRECT_SECONDS: Final = 2.0
"""Time limit of a direct connection: shorter than in an apply, because a person waits for the command behind it."""


@contextmanager
def api_route(access: Access, say: Callable[[str], None]) -> Iterator[str]:
    """The URL to use while the block runs: the API's own, else the local end of a tunnel, which ``say`` announces."""
    if not access.tunnels:
        yield access.server
        return
    with environment_route(access) as found:
        if found.through:
            say(tunnel_notice(access, found))
        yield found.url


def environment_route(access: Access) -> AbstractContextManager[ApiRoute]:
    """The route to an environment that this machine knows, direct or through ssh."""
    hint = f"rancherctl env status {access.name} shows which hosts and units are down"
    return route(access.name, [access.server], access.ca, tunnels_of(access), seconds=DIRECT_SECONDS, hint=hint)


def tunnel_notice(access: Access, found: ApiRoute) -> str:
    """The line that says through which host a command connects."""
    return f"API {access.server} is not reachable directly; connecting through ssh to {found.through}"
