"""Objects that lab tests apply: the test web server as Deployment, StatefulSet or pod, its Services and Ingresses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rancherctl.bundle.images import testweb_reference
from tests.fakes.tls import Authority, Pair
from tests.lab.support import GIVE_UP, Environment, until

Json = dict[str, Any]
PORT = 8080
STATUS = "ingress.rancherctl.io/status"


def host(namespace: str) -> str:
    """A host name for one test only.

    Ingresses with the same host name share its rules, also with a namespace that is still being deleted.
    """
    return f"{namespace}.example.org"


def container(**extra: Any) -> Json:
    """One test web server; it is ready when it answers."""
    return {
        "name": "web",
        "image": testweb_reference(),
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        **extra,
    }


def _meta(name: str, namespace: str, **extra: Any) -> Json:
    return {"name": name, "namespace": namespace, **extra}


def _template(name: str, spec: Json) -> Json:
    body = {"terminationGracePeriodSeconds": 5, "containers": [container()], **spec}
    return {"metadata": {"labels": {"app": name}}, "spec": body}


def spread(name: str) -> Json:
    """Pod spec part: at most one pod of ``name`` on a host."""
    term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def away_from(*hosts: str) -> Json:
    """Pod spec part: not on these hosts."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": list(hosts)}]}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    }


def deployment(namespace: str, name: str, replicas: int, **spec: Any) -> Json:
    """A Deployment of the test web server; ``spec`` goes into the pod's spec."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(name, namespace),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": _template(name, spec)},
    }


def stateful_set(namespace: str, name: str, service: str, replicas: int, **spec: Any) -> Json:
    """A StatefulSet of the test web server behind ``service``."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _meta(name, namespace),
        "spec": {
            "serviceName": service,
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": name}},
            "template": _template(name, spec),
        },
    }


def pod(namespace: str, name: str, host: str = "", **spec: Any) -> Json:
    """One pod; on ``host`` if given."""
    on = {"nodeName": host} if host else {}
    body = {"terminationGracePeriodSeconds": 1, "containers": [container()], **on, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _meta(name, namespace, labels={"app": name}), "spec": body}


def service(namespace: str, name: str, app: str = "", *, headless: bool = False, port: int = 80) -> Json:
    """A Service of the pods labelled ``app`` (default: its own name)."""
    spec: Json = {"selector": {"app": app or name}, "ports": [{"name": "http", "port": port, "targetPort": PORT}]}
    if headless:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name, namespace), "spec": spec}


def ingress(
    namespace: str,
    name: str,
    host: str,
    backend: str,
    *,
    scale: str | None = None,
    path: str = "/",
    path_type: str = "Prefix",
    annotations: Mapping[str, str] | None = None,
    secret: str = "",
) -> Json:
    """An Ingress of class `rancher` with one rule; ``secret`` has the certificate of its host."""
    own = dict(annotations or {}) | ({"scale": scale} if scale is not None else {})
    to = {"service": {"name": backend, "port": {"name": "http"}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": path_type, "backend": to}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": _meta(name, namespace, annotations=own),
        "spec": {"ingressClassName": "rancher", "rules": [rule]}
        | ({"tls": [{"hosts": [host], "secretName": secret}]} if secret else {}),
    }


def tls_secret(namespace: str, name: str, pair: Pair) -> Json:
    """A Secret of the type kubernetes.io/tls."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": _meta(name, namespace),
        "data": pair.files(),
    }


def authorities_secret(namespace: str, name: str, *authorities: Authority) -> Json:
    """An Opaque Secret with authorities of clients' certificates."""
    text = b"".join(a.certificate for a in authorities).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _meta(name, namespace), "stringData": {"ca.crt": text}}


def ready(env: Environment, namespace: str, kind: str, *names: str, timeout: float = 240.0) -> None:
    """Wait until everything named has rolled out (Deployments, StatefulSets) or is Ready (pods)."""
    for name in names:
        if kind == "pod":
            env.kubectl(
                "wait",
                "-n",
                namespace,
                f"pod/{name}",
                "--for=condition=Ready",
                f"--timeout={timeout:.0f}s",
                timeout=timeout + 10,
            )
        else:
            env.kubectl(
                "rollout",
                "status",
                "-n",
                namespace,
                f"{kind}/{name}",
                f"--timeout={timeout:.0f}s",
                timeout=timeout + 10,
            )


def pods(env: Environment, namespace: str, app: str) -> dict[str, Json]:
    """The pods labelled ``app`` that are not being deleted, by name."""
    found: Sequence[Json] = env.get("pods", "-n", namespace, "-l", f"app={app}")["items"]
    return {p["metadata"]["name"]: p for p in found if "deletionTimestamp" not in p["metadata"]}


def pod_ip(env: Environment, namespace: str, name: str) -> str:
    """A pod's address."""
    return str(env.get("pod", name, "-n", namespace)["status"]["podIP"])


def cluster_ip(env: Environment, namespace: str, name: str) -> str:
    """A Service's address."""
    return str(env.get("service", name, "-n", namespace)["spec"]["clusterIP"])


def published(env: Environment, namespace: str, name: str, count: int, *, timeout: float = GIVE_UP) -> list[str]:
    """Wait until an Ingress has ``count`` addresses and return them."""
    found: list[str] = until(
        f"{count} addresses of {namespace}/{name}",
        lambda: (a := env.addresses(name, namespace)) and len(a) == count and a,
        timeout=timeout,
        pause=0.3,
    )
    return found


def status_annotation(env: Environment, namespace: str, name: str) -> Json:
    """The status annotation that the leader wrote to an Ingress; {} if there is none."""
    annotations = env.get("ingress", name, "-n", namespace)["metadata"].get("annotations", {})
    found: Json = json.loads(annotations.get(STATUS, "{}"))
    return found


def web(env: Environment, namespace: str, replicas: int, *, name: str = "web", **spec: Any) -> None:
    """Apply a Deployment with its Service and wait until it has rolled out."""
    env.apply(deployment(namespace, name, replicas, **spec), service(namespace, name))
    ready(env, namespace, "deployment", name)
