"""For every kind of test: Hypothesis measures nothing here (machines are shared and slow at times), Ctrl-C is heard, and there is a kubectl."""

from __future__ import annotations

import os
import shutil
import signal

from hypothesis import settings

from rancherctl.settings import load

# The same examples each time: a failure belongs to the change that is tested. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("shared", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "shared"))

# A run that a shell put into the background is born deaf to Ctrl-C, and so are the programs that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

# kubectl is the oracle of some tests: where the machine has none, that of a bundle that setup made will do.
if shutil.which("kubectl") is None:
    cache = load({}).cache or load({}).dirs.cache
    found = sorted(cache.glob("bundles/*/kubernetes/*/kubectl"))
    if found:
        os.environ["PATH"] += os.pathsep + str(found[-1].parent)
