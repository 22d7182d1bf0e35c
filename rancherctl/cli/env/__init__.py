"""The ``env`` commands: one module per group of verbs; each parses, calls one library function and renders."""
