"""What the command line says about DNS: why a name resolves as it does, and whether a server follows the specification.

Here: reading the API, pure functions from objects and answers to explanations and results of checks, the objects that a
check needs. Not here: what runs on hosts (dns.trace, dns.host), printing (output.dns, output.dns_explain).
"""
