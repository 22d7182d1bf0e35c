"""kube-apiserver with hardened defaults. Pure.

Anonymous requests are answered on the three health paths only (the API balancers' checks need them before any
certificate exists); everything else is refused with 401.
"""

from __future__ import annotations

from rancherctl.environments import sign_in
from rancherctl.environments.components import audit, etcd, places, units
from rancherctl.environments.components.kubeconfig import kubeconfig, yaml_file
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Directory, Host, Resource, User

AUTHENTICATION = f"{places.ETC}/apiserver-authentication.yaml"
AUDIT_POLICY = f"{places.ETC}/audit-policy.yaml"
AUDIT_LOGS = f"{places.LOG}/audit"
AUDIT_LOG = "audit.log"
FEDERATION_NODE_PORTS = "10000-65535"
OWNER = f"{places.KUBE_USER}:{places.KUBE_USER}"


def ready_url(environment: Environment) -> str:
    """Where the API server of a host reports on that host whether it is ready; no credentials are needed (ADR 24)."""
    return f"https://127.0.0.1:{environment.api.port}/readyz"


def authentication() -> dict[str, object]:
    """AuthenticationConfiguration: anonymous requests are allowed on the health paths only."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": [{"path": path} for path in ("/livez", "/readyz", "/healthz")]},
    }


def flags(environment: Environment, host: Host) -> dict[str, str]:
    """The command line, one flag per key."""
    return {
        "advertise-address": host.address,
        "bind-address": "0.0.0.0",  # noqa: S104  clients anywhere use the API; it authenticates them
        "secure-port": str(environment.api.port),
        "etcd-servers": ",".join(etcd.endpoints(environment, host)),
        "etcd-cafile": places.ETCD_CA,
        "etcd-certfile": places.crt("apiserver-etcd-client"),
        "etcd-keyfile": places.key("apiserver-etcd-client"),
        "client-ca-file": places.CA,
        "tls-cert-file": places.crt("apiserver"),
        "tls-private-key-file": places.key("apiserver"),
        "tls-min-version": "VersionTLS12",
        "kubelet-certificate-authority": places.CA,
        "kubelet-client-certificate": places.crt("apiserver-kubelet-client"),
        "kubelet-client-key": places.key("apiserver-kubelet-client"),
        "kubelet-preferred-address-types": "InternalIP,Hostname",
        "service-cluster-ip-range": environment.network.service_cidr,
        "service-account-issuer": f"https://kubernetes.default.svc.{environment.dns.domain}",
        "service-account-key-file": places.SA_PUB,
        "service-account-signing-key-file": places.SA_KEY,
        "authorization-mode": "Node,RBAC",
        "authentication-config": AUTHENTICATION,
        # an external IP of a Service would redirect that address, of any owner, on every host and pod
        "enable-admission-plugins": "NodeRestriction,DenyServiceExternalIPs",
        "encryption-provider-config": places.ENCRYPTION,
        "audit-policy-file": AUDIT_POLICY,
        "audit-log-path": f"{AUDIT_LOGS}/{AUDIT_LOG}",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "5",
        "audit-log-maxsize": "100",
        "requestheader-client-ca-file": places.FRONT_CA,
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": places.crt("front-proxy-client"),
        "proxy-client-key-file": places.key("front-proxy-client"),
        "allow-privileged": "true",
        "profiling": "false",
        # nothing listens on a federation's node ports; its Services need more than the default range has
        **({"service-node-port-range": FEDERATION_NODE_PORTS} if environment.is_federation else {}),
    }


def resources(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """Everything of kube-apiserver on a control-plane host, apart from certificates and the program."""
    program = places.program("kubernetes", environment.kubernetes, "kube-apiserver")
    low_port = environment.api.port < 1024
    service = units.ServiceUnit(
        "kube-apiserver",
        "Kubernetes API server of a rancherctl environment",
        (program, *(f"--{name}={value}" for name, value in flags(environment, host).items())),
        user=places.KUBE_USER,
        type="notify",
        after=("network-online.target", places.unit("etcd")),
        capabilities=("CAP_NET_BIND_SERVICE",) if low_port else (),
        writable=(AUDIT_LOGS,),
        lines=(
            *(("AmbientCapabilities=CAP_NET_BIND_SERVICE",) if low_port else ()),
            "TimeoutStartSec=120",
            "TimeoutStopSec=30",
        ),
        watches=(AUTHENTICATION, AUDIT_POLICY, places.ENCRYPTION, places.SA_KEY, places.CA, places.FRONT_CA),
    )
    return (
        User(places.KUBE_USER, f"{places.DATA}/kube"),
        Directory(
            AUDIT_LOGS, 0o700, OWNER, written=(AUDIT_LOG,)
        ),  # env rm leaves the logs of an earlier environment to root
        kubeconfig("admin", server=f"https://127.0.0.1:{environment.api.port}"),
        Directory(f"{places.PROGRAMS}/bin"),
        sign_in.program(),
        yaml_file(AUTHENTICATION, authentication()),
        yaml_file(AUDIT_POLICY, audit.policy()),
        *units.resources(service),
    )
