"""The operator's side of a federation: what the command line does in the federation's API and in members.

Not on hosts. Not here: printing (``output``) and parsing of arguments (``cli``).
"""
