"""The protocol for Kubernetes API access: ``rest`` implements it for agents, ``official`` for the command line.

Objects are plain JSON dicts. Errors: NotFoundError (404), ConflictError (409), AuthError (401, 403), UnreachableError
(no answer in time), ThrottledError (429, 503), GoneError (410), InvalidObjectError (422), ServerError (other 5xx),
RancherctlError otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from rancherctl.errors import AuthError, ConflictError, RancherctlError, UsageError

Json = dict[str, Any]


class GoneError(RancherctlError):
    """410: the resource version is too old; list again."""

    retryable = True


class ThrottledError(RancherctlError):
    """429 or 503: the server asks for patience; ``retry_after`` in seconds (0 = not said)."""

    retryable = True

    def __init__(self, what: str, *, retry_after: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class UnauthorizedError(AuthError):
    """401: the token is not, or no longer, valid."""


class AlreadyExistsError(ConflictError):
    """409 on a create: the name is taken."""


class ServerError(RancherctlError):
    """Internal error of the API server (5xx, e.g. while etcd elects a leader); a write may or may not have happened."""

    retryable = True


class InvalidObjectError(RancherctlError):
    """422: the API refused the object's content; ``why`` is the API's own message."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object as the API names it: group ("" = core), version, plural, kind."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path with a leading slash; names are quoted. UsageError for ``.`` and ``..``."""
        if {namespace, name} & {".", ".."}:
            raise UsageError(f"{self.kind} {namespace}/{name}: a name cannot be . or ..")
        namespace, name = quote(namespace, safe=":"), quote(name, safe=":")
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return (
            root
            + middle
            + f"/{self.plural}"
            + (f"/{name}" if name else "")
            + (f"/{subresource}" if subresource else "")
        )


NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
INGRESSCLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False)
NETWORKPOLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CSRS = Resource(
    "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced=False
)


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK`` with the object."""

    type: str
    object: Json


@dataclass(frozen=True, slots=True)
class ListPage:
    """Items of a list (all of them, or one page) and the resource version to watch from.

    ``restarted`` on a page: the list began again (a page's token expired), forget the earlier pages.
    """

    items: tuple[Json, ...]
    resource_version: str
    restarted: bool = False


class KubeClient(Protocol):
    """Access to one API server. Thread-safe. ``timeout`` is in seconds for the whole call (watch: for silence)."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 30.0,
    ) -> ListPage:
        """All objects, read in pages of 500 (a consistent snapshot: the pages' continue token fixes the version)."""

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 70.0,
    ) -> Iterator[WatchEvent]:
        """Events from ``resource_version`` on, with bookmarks, until the server closes the watch.

        UnreachableError after ``timeout`` seconds of silence.
        """

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json:
        """One object."""

    def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Create and return what the server stored."""

    def replace(self, resource: Resource, body: Json, *, subresource: str = "", timeout: float = 10.0) -> Json:
        """PUT: name, namespace and the resourceVersion precondition come from the body's metadata."""

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Merge patch (RFC 7386). A ``metadata.resourceVersion`` in the body is a precondition."""

    def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        manager: str,
        force: bool = True,
        dry_run: bool = False,
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Server-side apply as field manager ``manager``."""

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Delete; NotFoundError if it was not there."""

    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        """A plain request, for /readyz, /version and the like."""
