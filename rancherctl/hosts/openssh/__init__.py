"""Hosts over ssh with the system's OpenSSH: one multiplexed master per host.

Commands and TCP connections go through the master's control socket. ``arguments`` turns an address into options,
``command_line`` those into a master's, ``folder`` holds its private files, ``master`` starts and ends the process.
``login`` waits until it is logged in, ``questions`` answers what it asks, ``host_key_policy`` decides about host keys,
``messages`` reads its log and ``failures`` turns it into an error. ``mux`` speaks the control socket's protocol;
``connection`` and ``channel`` run commands over it. ``factory`` makes transports through jump hosts. Not here: the
user's configuration (ssh reads it itself; ssh_settings), what is common to all ways to a host (remote_host).
"""
