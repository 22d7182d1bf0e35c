"""Certificates of an environment: which must exist, which do, and how they are issued.

Here live the authorities (made in memory), the leaves that every host needs (pure), what is wrong with existing ones
(pure), signing in memory and the program that makes keys and requests on a host. A leaf's key never leaves its host; an
authority's key exists on control-plane hosts and, during a run, in memory. Not here: certificates that kubelets and
agents renew by themselves, and users' credentials.
"""
