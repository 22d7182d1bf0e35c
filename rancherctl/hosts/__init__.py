"""Hosts: the model of a machine, how to run commands and copy files on it, and its desired resources.

Here live the host model, commands as values, the transports (ssh, local), facts (a command and its parser), the desired
resources of a host (packages, files, units, artefacts), observing, planning and applying them, the operators' lock, and
the fan-out over many hosts. Not here: what an environment consists of (environments), Kubernetes objects (kube),
anything about one domain.
"""
