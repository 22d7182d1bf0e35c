"""Lab: throw-away Debian hosts on one Linux machine, for the quick start, the tests and for trying the product.

Here lives how a lab is described (model), built (tree, clone, wires), booted and killed (nspawn, cgroups), remembered
(state) and used (ops, session). Hosts are systemd-nspawn containers with systemd, sshd, a network namespace and files
of their own. Not here: anything the product does to a host; to the product a lab host is a host like any other.
"""
