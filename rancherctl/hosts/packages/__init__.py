"""Packages of a host that come out of a bundle: what apt would install, and how the .deb files reach the host."""
