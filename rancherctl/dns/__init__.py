"""Cluster DNS: an authoritative BIND on every host, programmed by the agent with signed dynamic updates.

Here: the record model, the translation of Services, EndpointSlices and Pods to records (pure), the plan from the
records that a server has to those it should have, the server's configuration, reading, updating and healing it, and
lookups on all hosts. Not here: addresses on interfaces (network), watching the API (kube.cache), the loop that calls
``reconcile`` (agents), printing (cli). Names, types and TTLs follow the Kubernetes DNS specification 1.1.0.
"""
