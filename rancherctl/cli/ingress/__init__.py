"""The noun ``ingress``, a module for each group of commands."""
