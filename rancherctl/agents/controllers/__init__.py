"""Controllers: what the elected leader keeps up to date in the API, one module for each.

The process that runs them is ``agents.controller_process``. Not here: election, liveness, the watch cache.
"""
