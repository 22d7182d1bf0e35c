"""Decide which Ingresses belong to rancherctl, by their class. Pure.

The order is that of the Kubernetes documentation: the class name if it is set, then the legacy annotation, then the
default class, which the API server normally fills in on creation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rancherctl.contract import INGRESS_CONTROLLER
from rancherctl.ingress.model import CLASS_NAME
from rancherctl.kube.objects import Ingress, IngressClass

LEGACY_CLASS: Final = "kubernetes.io/ingress.class"
"""The annotation that named the class before ``ingressClassName``."""


def is_rancher(ingress: Ingress, classes: Mapping[str, IngressClass]) -> bool:
    """Whether rancherctl serves this Ingress.

    A class name without an IngressClass is not served: another controller may add that class.
    """
    if ingress.class_name is not None:
        found = classes.get(ingress.class_name)
        return found is not None and found.controller == INGRESS_CONTROLLER
    legacy = ingress.meta.annotations.get(LEGACY_CLASS)
    if legacy is not None:
        named = classes.get(legacy)
        return named.controller == INGRESS_CONTROLLER if named is not None else legacy == CLASS_NAME
    defaults = [c for c in classes.values() if c.default]
    return bool(defaults) and all(c.controller == INGRESS_CONTROLLER for c in defaults)
