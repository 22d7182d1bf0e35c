"""HTTP for the Kubernetes API: connection pool, TLS, requests with deadlines, watch streams. Standard library only."""
