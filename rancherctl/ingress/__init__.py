"""From Kubernetes Ingress objects to HAProxy on a chosen number of hosts, and back to statuses.

``annotations`` and ``translate`` turn objects into routes, ``haproxy`` drives one host's HAProxy, ``role`` is the
agent's load-balancer role, ``status`` decides and writes statuses, ``operator`` is what the command line shows. Not
here: which hosts are alive (agents), on which hosts an Ingress is placed (placement), watching the API (kube.cache),
electing a leader (agents), Services of type LoadBalancer. Runs on hosts from a zipapp: needs the standard library and
this package only.
"""
