"""Hosts over ssh: the only package that imports paramiko.

``login`` connects and authenticates, ``transport`` runs commands and uploads, ``factory`` makes transports through jump
hosts. Not here: settings from OpenSSH (ssh_settings), known_hosts files (known_hosts, host_keys), sudo (rights, sudo).
"""

import logging

# a handler of its own, so that paramiko's tracebacks never reach the terminal
logging.getLogger("paramiko").addHandler(logging.NullHandler())
