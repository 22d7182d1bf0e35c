"""Cluster DNS: an authoritative BIND on every host, programmed by the agent with signed dynamic updates.

Here live the record model, what Services, EndpointSlices and Pods become (pure), the plan from what a server has to what it
should have, the engine's configuration, reading and updating it, healing it, and asking all hosts for one name. Not here:
addresses on interfaces (network), watching the API (kube.cache), the loop that calls ``reconcile`` (agents), printing (cli).
The names, types and time-to-live follow the Kubernetes DNS specification 1.1.0.
"""
