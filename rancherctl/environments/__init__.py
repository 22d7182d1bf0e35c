"""Environments: a Kubernetes cluster made of plain hosts, from its file to its removal.

Here live the environment's model and file (inventory), the ordered list of phases, the certificates (pki), the text
of every component's configuration (components), the objects that every environment has (manifests), and planning,
applying, observing and removing the whole. Not here: how a host or the API is reached (hosts, kube), what is installed
(bundle), and what agents do once they run; their part of a host comes in as the ``extras`` callable of the context.
"""
