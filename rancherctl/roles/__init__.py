"""Roles and controllers as declared: the list of roles, the controllers, and their rights.

Only values: importing this package loads no role's code. Roles declare themselves in their own packages
(``network.role_spec``, ``dns.role_spec``, ``ingress.role_spec``). Not here: running them (``agents``).
"""
