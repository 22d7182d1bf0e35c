"""What command line, agents and controller agree on: names of objects, labels, annotations, keys, paths and devices.

These values are stored in clusters and on hosts: another release reads them, so none may change without a migration.
"""

from __future__ import annotations

from typing import Final

API_GROUP: Final = "rancherctl.io"
API_VERSION: Final = "rancherctl.io/v1alpha1"

NAMESPACE: Final = "rancherctl-system"
ROSTER_NAME: Final = "roster"
ROSTER_KEY: Final = f"{NAMESPACE}/{ROSTER_NAME}"
"""Key of the roster's ConfigMap in a watch table."""

ALARMS_KEY: Final = "alarms"
"""Key of the controller's alarms in the roster's ConfigMap."""
REPORT_PREFIX: Final = "report-"
"""A host's report is the ConfigMap ``report-HOST``."""
HOST_LEASE_PREFIX: Final = "host-"
"""A host's heartbeat is the Lease ``host-HOST``."""
HOST_NAMESPACE_PREFIX: Final = "rancherctl-host-"
"""Each load-balancer host has a namespace, whose Secrets its agent may read: copies made by the controller."""
CONTROLLER_NAME: Final = "rancherctl-controller"
"""The controller's Lease, its name in Events, and its user on hosts."""

# Identities: common names and organizations of certificates
AGENT_PREFIX: Final = "rancherctl:agent:"
AGENT_GROUP: Final = "rancherctl:agents"
CONTROLLER_IDENTITY: Final = "rancherctl:controller"
FEDERATION_IDENTITY: Final = "rancherctl:federation"

# Nodes
PUBLIC_ADDRESS_ANNOTATION: Final = "rancherctl.io/public-address"
LOAD_BALANCER_LABEL: Final = "rancherctl.io/load-balancer"
EXCLUDE_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Kubernetes' own label; its value does not matter."""
POD_PATHS_CONDITION: Final = "rancherctl.io/PodNetworkReady"
"""Condition of a Node: whether its pods reach DNS, the API and pods of other hosts."""
DRAIN_ANNOTATION: Final = "rancherctl.io/drain"
"""The load balancer of this Node is being taken out. Value: seconds for which clients may use its address from DNS."""
OWNED_LABELS_ANNOTATION: Final = "rancherctl.io/labels"
INVENTORY_ANNOTATION: Final = "rancherctl.io/inventory"

# DNS
DNS_VERIFY_LABEL: Final = "rancherctl.io/dns-verify"
"""Of the namespace that `dns verify` creates and removes."""

# Ingresses
INGRESS_CONTROLLER: Final = "rancherctl.io/ingress"
INGRESS_PREFIX: Final = "ingress.rancherctl.io/"
STATUS_ANNOTATION: Final = "ingress.rancherctl.io/status"
SCALE_ANNOTATION: Final = "ingress.rancherctl.io/scale"

# Services of type LoadBalancer
SERVICE_CLASS: Final = "rancherctl.io/lb"
"""spec.loadBalancerClass of Services that get addresses of hosts."""
SERVICES_KEY: Final = "services"
"""Key in the roster's ConfigMap: what the controller knows about Services, for command lines."""
LEFT_OUT_KEY: Final = "services-left-out"
"""Another one: which hosts its leader leaves out, or keeps although they look broken."""
MOVING_KEY: Final = "services-moving"
"""Another one: which Services each host serves by rules of its own, because their address comes to it or leaves it."""
NODE_PORTS: Final = (30000, 32767)
"""First and last port that kube-apiserver gives to Services."""

# Federation: annotations and labels of federated objects and of their copies in members
FEDERATION_GROUP: Final = "federation.rancherctl.io"
FEDERATION_PREFIX: Final = "federation.rancherctl.io/"
FEDERATION_LABEL: Final = "federation.rancherctl.io/federation"
"""On copies and on namespaces of a member: the name of the federation that writes them. EndpointSlices inherit it."""
FEDERATION_UID_ANNOTATION: Final = "federation.rancherctl.io/federation-uid"
"""On copies: the uid of the federation's namespace kube-system."""
SOURCE_UID_ANNOTATION: Final = "federation.rancherctl.io/source-uid"
"""On copies: the uid of the federated object."""
DIGEST_ANNOTATION: Final = "federation.rancherctl.io/digest"
"""On copies: digest of what the federation wrote, 16 hexadecimal digits."""
ADOPTED_ANNOTATION: Final = "federation.rancherctl.io/adopted"
"""On copies that were there before: since when (RFC 3339). They are released, not deleted."""
COPIES_FINALIZER: Final = "federation.rancherctl.io/copies"
LEAVE_FINALIZER: Final = "federation.rancherctl.io/leave"
FEDERATION_NAMESPACE_PREFIX: Final = "rancherctl-federation-"
"""In a member: the namespace ``rancherctl-federation-NAME`` holds the accounts of federation NAME."""
FEDERATION_CONTROLLER: Final = "rancherctl-federation"
"""The federation's unit, Lease, field manager, and its namespace for the members' credentials."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by=rancherctl"
"""Selector of objects that rancherctl creates in members."""

# Copies of Secrets in the namespaces of hosts
SOURCE_ANNOTATION: Final = "rancherctl.io/source"
"""``namespace/name`` of the Secret that was copied."""
CONTENT_ANNOTATION: Final = "rancherctl.io/content"
"""Digest of what was copied: the normalised certificate and key, or why there is none."""
UNUSABLE_ANNOTATION: Final = "rancherctl.io/unusable"
"""Why the Secret cannot be used; its copy has no data then."""
COPY_LABEL: Final = "rancherctl.io/copy"
"""What a copy is for: TLS_PURPOSE, or a name of ingress.purposes. The controller deletes nothing without it."""
TLS_PURPOSE: Final = "tls"

# Paths on a host
ETC: Final = "/etc/rancherctl"
PKI: Final = "/etc/rancherctl/pki"
DATA: Final = "/var/lib/rancherctl"
RUN: Final = "/run/rancherctl"
LOGS: Final = "/var/log/rancherctl"
PROGRAMS: Final = "/opt/rancherctl"
UNITS: Final = "/etc/systemd/system"
AGENT_CONFIG: Final = "/etc/rancherctl/agent.json"
CONTROLLER_CONFIG: Final = "/etc/rancherctl/controller.json"
FEDERATION_CONFIG: Final = "/etc/rancherctl/federation.json"
AGENT_PYZ: Final = "/opt/rancherctl/agent/current/agent.pyz"

# Paths of the load balancer
INGRESS_KEYS: Final = "/run/rancherctl/ingress-tls"
"""Certificates with keys, if they must not be on disk; not in the folder of the unit's sockets, which goes with it."""
ACCESS_LOG_SOCKET: Final = "/run/rancherctl/access-log.sock"
ACCESS_LOG: Final = "/var/log/rancherctl/ingress/access.log"
INGRESS_TMPFILES: Final = "/etc/tmpfiles.d/rancherctl-ingress.conf"

# Users on a host
INGRESS_USER: Final = "rancherctl-lb"
"""Runs the load balancer's HAProxy; its group may read the load balancer's files."""
ACCESS_LOG_USER: Final = "rancherctl-log"
"""Writes the load balancer's access log; its group may read it."""

# Units of the roles of a host's agent
NETWORK_UNIT: Final = "rancherctl-network.service"
POD_PATHS_UNIT: Final = "rancherctl-pod-paths.service"
DNS_UNIT: Final = "rancherctl-dns.service"
INGRESS_UNIT: Final = "rancherctl-ingress.service"
ACCESS_LOG_UNIT: Final = "rancherctl-access-log.service"
ACCESS_LOG_SOCKET_UNIT: Final = "rancherctl-access-log.socket"

# Network of a host
CNI_CONFIG: Final = "/etc/cni/net.d/10-rancherctl.conflist"
SYSCTL_CONFIG: Final = "/etc/sysctl.d/90-rancherctl.conf"
LINK_LOCAL_DNS: Final = "169.254.20.10"
DNS_DEVICE: Final = "lo"
VXLAN_DEVICE: Final = "rctl-vxlan"
CHECK_DEVICE: Final = "rctl-check"
"""The host's end of the pair of devices that leads to the endpoint of the pod path check."""


def host_namespace(node: str) -> str:
    """The namespace of a host; names of hosts are short enough for it."""
    return f"{HOST_NAMESPACE_PREFIX}{node}"
