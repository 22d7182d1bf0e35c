"""Hosts over ssh: the only place that imports paramiko.

``login`` makes a connection that is logged in, ``transport`` runs commands and uploads over it. Not here: settings from OpenSSH
(ssh_settings), known_hosts files (known_hosts, host_keys), sudo (rights, sudo).
"""

import logging

# its own handler, so that the library's tracebacks never reach a user's terminal
logging.getLogger("paramiko").addHandler(logging.NullHandler())
