"""For every kind of test: Hypothesis measures nothing here (machines are shared and slow at times), and Ctrl-C is heard."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

# A run that a shell put into the background is born deaf to Ctrl-C, and so are the programs that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)
