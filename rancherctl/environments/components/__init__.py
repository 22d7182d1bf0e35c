"""One module per component of a host: its configuration, its unit, and the resources it consists of.

Pure: an Environment, a Host and facts of the machine in, ``hosts.model`` resources out. ``registry`` lists which host
runs which component. Not here: certificates and keys (pki), what agents and their roles need (agents.install).
"""
