"""Ingress: from Kubernetes Ingress objects to HAProxy on a chosen number of hosts, and back to a true status.

Here live the load-balancer model, translation and merging of Ingresses, placement on hosts, the text of HAProxy's configuration, the
decision between a runtime command and a reload, the socket client, the agent's load-balancer role and the desired statuses. Not here:
who is alive (the leader keeps the roster), watching the API (kube.cache), electing a leader (agents), Service type LoadBalancer.
Runs on hosts from a zipapp: the standard library and this package only.
"""
