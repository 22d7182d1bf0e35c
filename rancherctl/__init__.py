"""rancherctl turns plain Linux hosts that you reach over SSH into Kubernetes environments.

Layers (held by import-linter, see pyproject.toml): cli > output, agents, lab > federation >
environments, ingress, dns, network > hosts, kube, bundle > credentials > settings, change, events > errors.
"""

__version__ = "0.2.0"
