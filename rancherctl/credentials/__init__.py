"""Credentials of the person at the keyboard: kubeconfig files, short tokens and what renews them, the exec-credential plug-in.

Here live reading and writing kubeconfig files as kubectl does, the registry of known environments, the secret store (keyring or a
0600 file), the token cache and its refresh, the pure builders of the ServiceAccounts and requests behind it. Not here: Kubernetes
access in general (kube), certificates of hosts (environments.pki), anything that needs more than the standard library on the
plug-in's way to a cached token (``plugin`` imports ``os``, ``sys`` and ``time``).
"""
