"""Operators sign in through ssh: a program on control-plane hosts issues their tokens.

``remote`` is that program. Not here: operators' rights and the storage of tokens (``credentials``).
"""
