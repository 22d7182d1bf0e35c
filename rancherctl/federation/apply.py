"""Carry out steps in a member: create, update by server-side apply, delete with preconditions, release, adopt.

Facts about the API behind the order of calls: a create and a later apply by one manager are two managers, so that our
Update entry becomes an Apply entry before the first change; an apply without a uid creates what is absent, so that it
always has uid and resourceVersion; an unknown field is answered with HTTP 500 and a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rancherctl.contract import (
    ADOPTED_ANNOTATION,
    DIGEST_ANNOTATION,
    FEDERATION_CONTROLLER,
    FEDERATION_LABEL,
    FEDERATION_UID_ANNOTATION,
    SOURCE_UID_ANNOTATION,
)
from rancherctl.errors import AuthError, ConflictError, NotFoundError, RancherctlError
from rancherctl.federation import projection
from rancherctl.federation.apis import CopyApi
from rancherctl.federation.objects import CopyView, Federated, ObjectId, converted, namespace_copy, service_copy
from rancherctl.federation.plan import CopyState, State, Step, Verb
from rancherctl.kube.client import SERVICES, AlreadyExistsError, InvalidObjectError, Json, ServerError
from rancherctl.text import last_line, shorten

PARSERS: Final = {"Service": service_copy, "Namespace": namespace_copy}
MAX_WHY: Final = 300
_UNDECLARED: Final = re.compile(r"(?:\.|unknown field \")(?P<field>spec[\w.\[\]]*)(?:: field not declared|\")")
PENDING: Final = CopyState(State.PENDING, "Written", "written, the member has not confirmed it yet")


class CopyWriter:
    """Writes copies of one federation into one member. ``now`` gives RFC 3339 times."""

    def __init__(self, api: CopyApi, federation: str, federation_uid: str, now: Callable[[], str]) -> None:
        self._api, self._federation, self._uid, self._now = api, federation, federation_uid, now

    def run(self, step: Step) -> CopyState:
        """Carry out one step; returns what the object is then.

        Raises what concerns the whole member (not reachable, throttled, no longer the leader); a ConflictError means
        that the object has changed meanwhile, and the watch brings the next decision.
        """
        try:
            return self._run(step)
        except NotFoundError as error:
            if step.verb in (Verb.DELETE, Verb.RELEASE):
                return PENDING
            return CopyState(State.FAILED, "NamespaceMissing", _why(error))
        except (InvalidObjectError, AuthError, ServerError) as error:
            if found := _UNDECLARED.search(f"{error} {error.why}"):
                why = f"this member's Kubernetes does not know the field {found['field']}"
                return CopyState(State.FAILED, "MemberTooOld", why)
            if isinstance(error, ServerError):
                raise
            reason = "Refused" if isinstance(error, AuthError) else "Invalid"
            return CopyState(State.FAILED, reason, _why(error))

    def _run(self, step: Step) -> CopyState:
        if step.verb is Verb.CREATE and step.source is not None:
            return self._create(step.id, step.source)
        if step.copy is None:
            raise ValueError(f"{step.verb} of {step.id} without a copy")
        if step.verb is Verb.DELETE:
            preconditions = {"uid": step.copy.uid, "resourceVersion": step.copy.resource_version}
            self._api.delete(
                step.id.resource,
                step.id.name,
                namespace=step.id.namespace,
                options={"preconditions": preconditions},
            )
        elif step.verb is Verb.RELEASE:
            self._release(step.copy)
        elif step.source is not None:
            self._update(step.source, step.copy)
        return PENDING

    def _create(self, object_id: ObjectId, source: Federated) -> CopyState:
        try:
            self._api.create(
                object_id.resource,
                self.body(source),
                namespace=object_id.namespace,
                manager=FEDERATION_CONTROLLER,
                strict=True,
            )
        except AlreadyExistsError:
            return self._existing(object_id, source)
        return PENDING

    def body(self, source: Federated, adopted: str = "") -> Json:
        """The copy of a federated object, as it is written."""
        metadata = source.body["metadata"]
        marks = {
            FEDERATION_UID_ANNOTATION: self._uid,
            SOURCE_UID_ANNOTATION: source.meta.uid,
            DIGEST_ANNOTATION: source.digest,
        } | ({ADOPTED_ANNOTATION: adopted} if adopted else {})
        out: Json = {
            "metadata": {
                "name": source.meta.name,
                "labels": {**metadata["labels"], FEDERATION_LABEL: self._federation},
                "annotations": {**metadata["annotations"], **marks},
            }
        }
        if source.meta.namespace:
            out["metadata"]["namespace"] = source.meta.namespace
        if "spec" in source.body:
            out["spec"] = source.body["spec"]
        return out

    def _update(self, source: Federated, copy: CopyView) -> None:
        """Apply what is wanted onto exactly the object that was seen."""
        version = copy.resource_version
        if copy.unconverted:
            version = self._convert(copy.id, version)
        body = self.body(source, copy.adopted)
        body["metadata"] |= {"uid": copy.uid, "resourceVersion": version}
        refused: InvalidObjectError | None = None
        try:
            live = self._api.apply(copy.id.resource, body, manager=FEDERATION_CONTROLLER)
        except InvalidObjectError as error:
            if copy.id.kind != "Service":
                raise
            live, refused = self._api.get(SERVICES, copy.id.name, namespace=copy.id.namespace), error
            if live["metadata"].get("resourceVersion") != version:
                raise ConflictError(f"{copy.id}: changed meanwhile") from error
        if copy.id.kind == "Service":
            self._take_away(body, live, refused)

    def _take_away(self, body: Json, live: Json, refused: InvalidObjectError | None) -> None:
        """Replace a spec in which others have added what an apply leaves there, or because of which it is refused."""
        wanted, spec = body["spec"], live.get("spec") or {}
        difference = projection.first_difference(wanted, spec)
        if not difference or (refused is not None and not projection.added_ports(wanted, spec)):
            if refused is not None:
                raise refused
            return
        kept = projection.kept_in_member(spec, wanted)
        if "externalIPs" not in wanted:
            kept.pop("externalIPs", None)
        self._replace(body, live, kept)

    def _replace(self, body: Json, live: Json, spec: Json) -> None:
        """Replace exactly the object that was read; labels and annotations of others stay."""
        kept = live["metadata"]
        merged = {
            "labels": {**(kept.get("labels") or {}), **body["metadata"]["labels"]},
            "annotations": {**(kept.get("annotations") or {}), **body["metadata"]["annotations"]},
        }
        metadata = {key: value for key, value in kept.items() if key != "managedFields"} | merged
        self._api.replace(SERVICES, {**live, "metadata": metadata, "spec": spec}, manager=FEDERATION_CONTROLLER)

    def _convert(self, object_id: ObjectId, version: str) -> str:
        """Make our entry of managedFields one of server-side apply; returns the new resourceVersion."""
        live = self._api.get(object_id.resource, object_id.name, namespace=object_id.namespace)
        found = live["metadata"]
        if found.get("resourceVersion") != version:
            raise ConflictError(f"{object_id}: changed meanwhile")
        fields = converted(found.get("managedFields") or [])
        patch: Json = {"metadata": {"resourceVersion": version, "managedFields": fields}}
        answer = self._api.patch(object_id.resource, object_id.name, patch, namespace=object_id.namespace)
        return str(answer["metadata"]["resourceVersion"])

    def _release(self, copy: CopyView) -> None:
        gone = dict.fromkeys(
            (FEDERATION_UID_ANNOTATION, SOURCE_UID_ANNOTATION, DIGEST_ANNOTATION, ADOPTED_ANNOTATION), None
        )
        metadata = {
            "resourceVersion": copy.resource_version,
            "labels": {FEDERATION_LABEL: None},
            "annotations": gone,
        }
        self._api.patch(copy.id.resource, copy.id.name, {"metadata": metadata}, namespace=copy.id.namespace)

    def _existing(self, object_id: ObjectId, source: Federated) -> CopyState:
        """An object with this name is there without our label: ours that lost it, or somebody else's."""
        live = self._api.get(object_id.resource, object_id.name, namespace=object_id.namespace)
        copy = PARSERS[object_id.kind](live)
        if copy.federation_uid == self._uid and copy.source_uid == source.meta.uid:
            self._update(source, copy)
            return PENDING
        if copy.federation_uid or copy.federation:
            other = copy.federation or f"with the uid {copy.federation_uid}"
            return CopyState(
                State.CONFLICT, "ForeignFederation", f"{object_id} there belongs to the federation {other}"
            )
        if object_id.kind == "Namespace":
            why = (
                f"the namespace {object_id.key} was there before; to open it to this federation: "
                f"kubectl label namespace {object_id.key} {FEDERATION_LABEL}={self._federation}"
            )
            return CopyState(State.CONFLICT, "NamespaceNotOpened", why)
        return self._adopt(object_id, source, copy, live)

    def _adopt(self, object_id: ObjectId, source: Federated, copy: CopyView, live: Json) -> CopyState:
        wanted, spec = source.body["spec"], live.get("spec") or {}
        difference = projection.first_difference(wanted, spec)
        if source.options.adopt == "never":
            return CopyState(
                State.CONFLICT, "Exists", f"a {object_id.kind} with this name was there before (adopt: never)"
            )
        if difference and source.options.adopt != "always":
            why = f"a {object_id.kind} with this name was there before and differs in {difference}"
            return CopyState(State.CONFLICT, "Exists", why)
        body = self.body(source, self._now())
        if difference:
            self._replace(body, live, projection.kept_in_member(spec, wanted))
        else:
            body["metadata"] |= {"uid": copy.uid, "resourceVersion": copy.resource_version}
            self._api.apply(object_id.resource, body, manager=FEDERATION_CONTROLLER)
        return PENDING


def _why(error: RancherctlError) -> str:
    return shorten(last_line(error.why or str(error), str(error)), MAX_WHY)


def other_manager(api: CopyApi, object_id: ObjectId, ours: str) -> str:
    """The field manager that wrote an object last, beside ``ours``; for messages."""
    try:
        live = api.get(object_id.resource, object_id.name, namespace=object_id.namespace)
    except RancherctlError:
        return "another program"
    fields = live["metadata"].get("managedFields") or []
    others = [f for f in fields if f.get("manager") != ours and not f.get("subresource")]
    last: Json = max(others, key=lambda f: str(f.get("time", "")), default={})
    return f'the field manager "{last["manager"]}"' if last.get("manager") else "another program"
