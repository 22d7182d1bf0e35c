"""From Kubernetes objects to validated routes and endpoints. Pure."""
