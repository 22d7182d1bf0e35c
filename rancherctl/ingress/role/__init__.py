"""The load-balancer role of a host's agent: from a snapshot of the API to a verified HAProxy."""
