"""Removing an environment from its hosts.

``requests`` says what is removed, ``concerned`` from which hosts, ``remove`` does it, ``preview`` is its dry run.
``remote`` runs on a host: it records the original state, removes what belongs to the environment, lists leftovers.
Not here: removing single hosts from an environment that remains, and users' data outside the hosts.
"""
