"""``rancherctl-credential --env NAME``: the exec plug-in that kubectl runs.

Prints a cached token without importing anything heavy.
"""

from __future__ import annotations

import sys
import time

from rancherctl.credentials.token_cache import boot_now, cache_file, cached, caller, refused


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        return _answer(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # Ctrl-C in kubectl is sent to the plug-in as well
        return 130


def _answer(words: list[str]) -> int:
    if len(words) == 2 and words[0] == "--env" and "/" not in words[1]:
        path, wall = cache_file(words[1]), time.time()
        document, fresh = cached(path, wall, boot_now())
        if fresh and refused(path, caller(), wall):
            return _renewed(words, refused=True)
        if fresh:
            sys.stdout.write(document)
            return 0
    return _renewed(words)


def _renewed(words: list[str], *, refused: bool = False) -> int:
    from rancherctl.credentials.plugin_command import run_command

    return run_command(words, refused=refused)


if __name__ == "__main__":
    sys.exit(main())
