"""What people and scripts see: tables, JSON and YAML envelopes, error texts, plans, progress.

Library code returns results and emits events; this package formats them. Every renderer is a pure function of a
result; progress writes to the stream it was given. Not here: decisions, I/O with hosts or APIs, exit codes.
"""
