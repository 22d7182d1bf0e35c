"""One small module per component of a host: the text of its configuration and unit, and the resources it consists of.

Pure: an Environment, a Host and what is known of the machine in, ``hosts.model`` resources out. Not here: certificates and
keys (pki), what agents and their roles need (their own install modules), talking to anything.
"""
