"""Proxies on the way to an API server: which one (the rules of Go and kubectl), and connections through it.

Contents: ``choice`` (pure: proxy-url, HTTPS_PROXY, NO_PROXY), ``connect`` (CONNECT of HTTP and HTTPS proxies,
SOCKS5), ``relay`` (a TLS connection as a plain socket). Standard library only. Not here: what is sent.
"""
