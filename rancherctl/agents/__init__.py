"""Agents: the processes on hosts that keep an environment up to date while no command runs.

Here: the agent (roles, heartbeat, host report, renewals), the controller process (leader election, roster, liveness,
controllers), the zipapp and its installation. Not here: what a role decides (network, dns, ingress), declarations
(roles).
"""
