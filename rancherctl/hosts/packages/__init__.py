"""Distribution packages from a bundle: resolve what apt would install, and upload the .deb files.

Remote side: hosts.remote.
"""
