"""One host's HAProxy: layout, configuration, runtime commands, files, and the driver.

Knows neither the agent's role nor statuses.
"""
