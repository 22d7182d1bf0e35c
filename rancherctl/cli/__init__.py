"""The command line: one module per noun, each command parses, calls one library function and renders its result.

``app`` is the entry point (fast paths, exit codes), ``root`` the tree's root that imports a noun's module only when
it is used, ``context`` the only composition root (settings, transports, API clients). Not here: decisions, formatting
(output) and anything another program may want to call.
"""
