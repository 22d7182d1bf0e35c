"""One host's HAProxy: layout, configuration text, runtime commands, files, and the driver that applies them. Knows neither role nor status."""
