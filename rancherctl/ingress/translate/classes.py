"""Whose Ingress is it: spec.ingressClassName, the legacy annotation, the default class. Pure.

Order as in the Kubernetes documentation: the class name counts when it is set; the legacy annotation when there is no class name;
with neither, the default class (the API server normally fills it in on creation).
"""

from __future__ import annotations

from collections.abc import Mapping

from rancherctl.ingress.annotations.parse import LEGACY_CLASS
from rancherctl.ingress.model import CLASS_NAME, CONTROLLER
from rancherctl.kube.objects import Ingress, IngressClass


def ours(ingress: Ingress, classes: Mapping[str, IngressClass]) -> bool:
    """Whether we serve it. A class name whose IngressClass is unknown is not ours: somebody else may bring it."""
    if ingress.class_name is not None:
        found = classes.get(ingress.class_name)
        return found is not None and found.controller == CONTROLLER
    legacy = ingress.meta.annotations.get(LEGACY_CLASS)
    if legacy is not None:
        named = classes.get(legacy)
        return named.controller == CONTROLLER if named is not None else legacy == CLASS_NAME
    defaults = [c for c in classes.values() if c.default]
    return bool(defaults) and all(c.controller == CONTROLLER for c in defaults)
