"""What a person or a script sees: tables, JSON and YAML envelopes, error texts, plans, progress.

Library code returns results and emits events; this package turns them into text. Here lives formatting only: every renderer is a pure
function of a result, and progress writes to the one stream it was given. Not here: decisions, I/O with hosts or APIs, exit codes.
"""
