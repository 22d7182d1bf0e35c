"""Hosts: what a machine is, how commands and files reach it, and what it should look like.

Here live the host model, commands as values, the transports (ssh, local), facts (a command and its parser), the desired
resources of a host (packages, files, units, artefacts), observing, planning and applying them, and the fan-out over many
hosts. Not here: what an environment consists of (environments), Kubernetes objects (kube), anything about one domain.
"""
