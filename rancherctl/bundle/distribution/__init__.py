"""Packages of a distribution in a bundle, for hosts without a way out.

Contains: which systems and packages (systems), which archives the machine's own apt uses (archives), apt with a root of
its own that
resolves, verifies and fetches (isolated), reading a .deb (control), the index beside the .debs (index, pure), filling a
bundle's folder
with them (collect), and what a bundle offers to a host (offer).

Not here: what is installed where and how (environments, hosts).

In a bundle they are ``packages/SYSTEM/*.deb`` and ``packages/SYSTEM/index``, apt's own format, so that a host's apt can
predict what it
would install.
"""
