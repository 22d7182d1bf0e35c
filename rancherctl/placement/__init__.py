"""Placement: which load-balancer hosts carry an object that asks for N instances, and why.

Here live the roster (the leader's list of load-balancer hosts), what an object must say to be placed (``Placeable``)
and rendezvous hashing over both. Not here: how the roster is made (agents), what an Ingress says (ingress), what is
done on a host. Pure; the agents, the controller and the command line all call it, so it runs on hosts with the standard
library only.
"""
