"""What a federation needs in a member's API: accounts, rights, and admission policies that narrow the rights. Pure.

RBAC cannot say "in namespaces with this label only", so three ValidatingAdmissionPolicies do: what the federation may
write, which Namespaces, and which tokens a stolen renewer token is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rancherctl.contract import CONTROLLER_IDENTITY, FEDERATION_LABEL, FEDERATION_UID_ANNOTATION
from rancherctl.environments.manifests.policies import policy
from rancherctl.environments.manifests.rights import RBAC
from rancherctl.federation import tokens
from rancherctl.federation.tokens import CONTROLLER, RENEWER, SESSION, member_namespace
from rancherctl.kube.client import Json
from rancherctl.kube.manifests import Inventory
from rancherctl.kube.rbac import rule

KINDS: Final = ("Namespace", "Service")
LABELS: Final = {"app.kubernetes.io/managed-by": "rancherctl"}
VANTAGE: Final = "vantage"
_READ: Final = ("get", "list", "watch")
_RESERVED: Final = ("kube-", "rancherctl-")


def inventory(federation: str) -> Inventory:
    """The ConfigMap in the member that lists these objects."""
    return Inventory(member_namespace(federation), "inventory")


def account(federation: str, name: str) -> str:
    """The user name of one of the accounts."""
    return f"system:serviceaccount:{member_namespace(federation)}:{name}"


def objects(federation: str, federation_uid: str) -> tuple[Json, ...]:
    """All of them except tokens, in the order in which they can be created."""
    namespace = member_namespace(federation)
    return (
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": namespace,
                "labels": dict(LABELS),
                "annotations": {FEDERATION_UID_ANNOTATION: federation_uid},
            },
        },
        *(
            _object("v1", "ServiceAccount", name, namespace, automountServiceAccountToken=False)
            for name in (CONTROLLER, RENEWER)
        ),
        _object("v1", "Secret", SESSION, namespace, type="Opaque"),
        *_rights(federation, namespace),
        *_policies(federation, federation_uid),
    )


def _object(version: str, kind: str, name: str, namespace: str = "", **rest: object) -> Json:
    metadata: Json = {"name": name, "labels": dict(LABELS)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def cluster_rules() -> list[Json]:
    """What the federation may do everywhere, before the policies narrow it."""
    return [
        rule("", ("services",), (*_READ, "create", "patch", "update", "delete")),
        rule("", ("namespaces",), (*_READ, "create", "patch")),
        rule("", ("nodes",), _READ),
        rule("discovery.k8s.io", ("endpointslices",), _READ),
    ]


def _rights(federation: str, namespace: str) -> list[Json]:
    name = f"rancherctl:federation:{federation}"
    own = [rule("", ("configmaps",), (*_READ, "create", "patch", "update"))]
    request = [rule("", ("serviceaccounts/token",), ("create",), (CONTROLLER, RENEWER))]
    return [
        _object(f"{RBAC}/v1", "ClusterRole", name, rules=cluster_rules()),
        _object(f"{RBAC}/v1", "ClusterRoleBinding", name, **_bound("ClusterRole", name, CONTROLLER, namespace)),
        _object(f"{RBAC}/v1", "Role", CONTROLLER, namespace, rules=own),
        _own_binding(CONTROLLER, namespace),
        _object(f"{RBAC}/v1", "Role", VANTAGE, namespace, rules=own),
        _object(f"{RBAC}/v1", "RoleBinding", VANTAGE, namespace, **_vantage()),
        _object(f"{RBAC}/v1", "Role", RENEWER, namespace, rules=request),
        _own_binding(RENEWER, namespace),
    ]


def _own_binding(name: str, namespace: str) -> Json:
    """The binding of an account to the Role of the same name in its namespace."""
    return _object(f"{RBAC}/v1", "RoleBinding", name, namespace, **_bound("Role", name, name, namespace))


def _vantage() -> Json:
    """The member's own controller probes addresses for the federation, and reports in this namespace."""
    subject = {"apiGroup": RBAC, "kind": "User", "name": CONTROLLER_IDENTITY}
    return {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": VANTAGE}, "subjects": [subject]}


def _bound(kind: str, role: str, subject: str, namespace: str) -> Json:
    return {
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": namespace}],
    }


def _policies(federation: str, uid: str) -> list[Json]:
    return [*_objects_policy(federation, uid), *_namespaces_policy(federation, uid), *_tokens_policy(federation)]


def _labelled(side: str, federation: str) -> str:
    """CEL: this object has the federation's label."""
    return f"{side}.?metadata.?labels[?'{FEDERATION_LABEL}'].orValue('') == '{federation}'"


def _marked(side: str, federation: str, uid: str) -> str:
    """CEL: this object has the label and the uid of this very federation, as only its copies have."""
    annotation = f"{side}.?metadata.?annotations[?'{FEDERATION_UID_ANNOTATION}'].orValue('') == '{uid}'"
    return f"({_labelled(side, federation)} && {annotation})"


def _not_reserved(name: str) -> str:
    return " && ".join(f"!{name}.startsWith('{prefix}')" for prefix in _RESERVED)


def _objects_policy(federation: str, uid: str) -> list[Json]:
    """Services: only in namespaces that are open to the federation, and only its copies.

    A copy may be deleted or released in a namespace that was closed meanwhile, so that leaving leaves nothing behind.
    """
    who = f"request.userInfo.username == '{account(federation, CONTROLLER)}'"
    opened = _labelled("namespaceObject", federation)
    before, after = (_marked(side, federation, uid) for side in ("oldObject", "object"))
    released = f"!({_labelled('object', federation)}) && object.spec == oldObject.spec"
    removing = f"request.operation != 'CREATE' && {before} && (request.operation == 'DELETE' ? true : ({released}))"
    ours = f"request.operation == 'DELETE' ? {before} : ({after} || (request.operation == 'UPDATE' && {before}))"
    validations = {
        _not_reserved("request.namespace"): "a federation writes nothing in namespaces kube-* and rancherctl-*",
        f"({opened}) || ({removing})": (
            f"the namespace is not open to the federation {federation}: "
            f"it lacks the label {FEDERATION_LABEL}={federation}"
        ),
        ours: (
            f"a federation writes only its own copies: objects with the label {FEDERATION_LABEL}={federation} "
            f"and its uid in the annotation {FEDERATION_UID_ANNOTATION}"
        ),
    }
    name = f"rancherctl-federation-{federation}-objects"
    return policy(name, ["services"], ["CREATE", "UPDATE", "DELETE"], who, validations)


def _namespaces_policy(federation: str, uid: str) -> list[Json]:
    """Namespaces: only those that the federation has created; others are opened to it, and changed, by their people."""
    who = f"request.userInfo.username == '{account(federation, CONTROLLER)}'"
    name = "(request.operation == 'DELETE' ? oldObject.metadata.name : object.metadata.name)"
    before, after = (_marked(side, federation, uid) for side in ("oldObject", "object"))
    validations = {
        _not_reserved(name): "a federation writes no namespaces kube-* and rancherctl-*",
        f"request.operation == 'CREATE' ? {after} : {before}": (
            f"a federation writes only namespaces that it has created, with the label {FEDERATION_LABEL}={federation} "
            "and its uid; people of the member open others to it, and change them"
        ),
    }
    return policy(
        f"rancherctl-federation-{federation}-namespaces",
        ["namespaces", "namespaces/status", "namespaces/finalize"],
        ["CREATE", "UPDATE", "DELETE"],
        who,
        validations,
    )


def _tokens_policy(federation: str) -> list[Json]:
    """Tokens of the renewer: short for work, 30 days for itself, all bound to the session."""
    who = f"request.userInfo.username == '{account(federation, RENEWER)}'"
    ref = "object.spec.boundObjectRef"
    bound = (
        f"has({ref}) && {ref} != null && {ref}.?kind.orValue('') == 'Secret' && {ref}.?name.orValue('') == '{SESSION}'"
    )
    limit = f"(request.name == '{CONTROLLER}' ? {tokens.WORK_SECONDS} : {tokens.RENEWER_SECONDS})"
    validations = {
        f"object.spec.expirationSeconds <= {limit}": (
            f"tokens of {CONTROLLER} expire within {tokens.WORK_SECONDS} s, those of {RENEWER} within 30 days"
        ),
        bound: f"tokens must be bound to the Secret {SESSION}",
    }
    name = f"rancherctl-federation-{federation}-tokens"
    return policy(name, ["serviceaccounts/token"], ["CREATE"], who, validations)


def open_namespace(federation: str) -> Json:
    """The merge patch that opens a namespace of the member to the federation."""
    return {"metadata": {"labels": {FEDERATION_LABEL: federation}}}


def policy_names(federation: str) -> Sequence[str]:
    """Names of the policies in the member."""
    return [f"rancherctl-federation-{federation}-{part}" for part in ("objects", "namespaces", "tokens")]
