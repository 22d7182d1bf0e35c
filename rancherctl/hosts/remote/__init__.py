"""What runs on a host for one call: small programs that read JSON on standard input and print JSON.

Here lives the code that looks at files, packages and units and changes them, sent over the wire each time (hosts.remote_call), so a host
needs nothing but Python. Standard library only, Python 3.11, and only modules of this package (all are listed in
``hosts.remote_call.MODULES``). Not here: what a host should look like, how the connection works, anything printed for people.
"""
