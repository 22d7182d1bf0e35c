"""Federation: Services that are created once and run in every member environment, with public DNS names.

The federation is an environment of its own, without workers: its API holds the federated objects and the Clusters
(members). Lives here: what travels to members and what comes back (objects, placement, projection, plan, status), the
health of members' addresses, the public DNS names, providers, and the process ``rancherctl-federation``. The command
line's side is in ``operator``. Must not live here: how an environment is set up (``environments``).
"""
