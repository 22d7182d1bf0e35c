"""Controllers: what the elected leader keeps true in the API. One module per controller; the process that runs them is ``agents.controller``."""
