"""Kubernetes access: small frozen views of objects, one client protocol with two transports, the watch cache, apply.

Contains object views and their parsers, the thin standard-library REST transport (agents, hot reads), the official
client (discovery, server-side apply of arbitrary manifests), the list+watch cache, readiness as pure functions. Not
here: what our
domains make of the objects (ingress, dns …), kubeconfig files (credentials). Only this package imports ``kubernetes``.
"""
