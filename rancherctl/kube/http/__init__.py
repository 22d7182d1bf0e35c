"""HTTP for the Kubernetes API: connection pool, TLS, requests within a deadline, watch streams. Standard library only."""
