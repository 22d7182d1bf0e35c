"""What the leader writes: Ingress statuses and Events, from placements and host reports. Does not know HAProxy."""
