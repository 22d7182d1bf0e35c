"""Agents: the processes on the hosts that keep things true after the command line has gone.

Here live the loop (wake, coalesce, resync, back off, stop on signal), leader election, the roster and liveness, the roles wired
into the loop, the zipapp and its installation. Not here: what a role decides (network, dns, ingress own that).
"""
