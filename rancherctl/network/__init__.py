"""The pod network of one host: CNI configuration, routes or VXLAN, masquerading, and the two DNS addresses.

Here: the desired network state as a pure value, its observation, plan and repair, and the role that applies it. Not
here: pods (kubelet and the CNI plug-ins), Services (kube-proxy), DNS records (dns). Runs on hosts: standard library
only.
"""
