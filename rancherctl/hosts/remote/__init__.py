"""Programs that run on a host for one call.

They read a JSON request on standard input and print a JSON answer.

Here lives the code that observes and changes files, packages and units. It is sent with each call (hosts.remote_call),
so a host needs nothing but Python. Standard library only, Python 3.11, and only modules of this package. Not here: what
a host should look like, how the connection works, messages for people.
"""
