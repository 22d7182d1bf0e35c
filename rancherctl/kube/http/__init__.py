"""HTTP for the Kubernetes API: connections and their pool, TLS, one request within a deadline, watch streams. Standard library only."""
