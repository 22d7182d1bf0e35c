"""Operators' way into an environment by ssh: a small program on control-plane hosts makes their tokens.

``remote`` is that program. Not here: what an operator may do and how tokens are kept (credentials).
"""
