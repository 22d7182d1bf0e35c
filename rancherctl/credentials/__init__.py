"""Credentials of the person at the keyboard.

Kubeconfig files, short tokens and what renews them, the exec-credential plug-in.

Contents: reading and writing kubeconfig files like kubectl, the registry of known environments, the secret store
(keyring or a 0600 file), the token cache and its renewal, the builders of ServiceAccounts and token requests (pure).
Not here: Kubernetes access in general (kube), certificates of hosts (environments.pki). ``plugin`` and
``token_cache``, which print a cached token, import ``os``, ``sys`` and ``time`` only.
"""
