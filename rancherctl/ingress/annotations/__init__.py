"""The annotations of an Ingress, parsed into options. Pure."""
