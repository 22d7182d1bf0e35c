"""Pod paths: whether pods of a host reach DNS, the API and pods of other hosts, and why not.

Here: a check endpoint in a network namespace with an address of the host's pod range (its process, its device), the
probes that the host's agent sends through it, and what their results mean, for one host and for all. Not here: the
routes and rules themselves (network). Runs on hosts: standard library only.
"""
