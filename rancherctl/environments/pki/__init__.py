"""Certificates of an environment: which there must be, which there are, and how they are made.

Here live the authorities (made in memory), the leaves that every host needs (pure), what is wrong with those that exist
(pure), signing in memory and the small program that makes keys and requests on a host. A leaf's key never leaves its host;
an authority's key exists on control-plane hosts and, during a run, in memory. Not here: certificates that kubelets and
agents renew by themselves, and users' credentials.
"""
