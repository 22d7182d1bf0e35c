"""Settings of one run: defaults < config file < RANCHERCTL_* variables < flags, merged into one frozen value.

``load`` is the only reader of os.environ besides the exec plug-in. The XDG folders are here, too. Not here: files
about environments (credentials.registry, environments.inventory) and code that acts on a setting.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rancherctl.errors import InvalidInputError, RancherctlError
from rancherctl.text import did_you_mean

APP: Final = "rancherctl"
PREFIX: Final = "RANCHERCTL_"
COLORS: Final = ("auto", "always", "never")
PROGRESS: Final = ("auto", "plain", "json", "none")
FORMATS: Final = ("table", "wide", "json", "yaml", "name")


@dataclass(frozen=True, slots=True)
class Dirs:
    """The user's folders: ``config`` (edited by people), ``state`` (logs), ``cache`` (may be deleted at any time)."""

    config: Path
    state: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run may depend on besides its arguments.

    ``env`` is the environment selected by flag or variable, ``kubeconfig`` the value of --kubeconfig,
    ``kubeconfig_list`` that of $KUBECONFIG; "" = not given. ``interactive`` is False with CI=true or --no-input, or
    without a terminal on standard input and error.
    """

    dirs: Dirs
    env: str = ""
    output: str = ""
    color: str = "auto"
    progress: str = "auto"
    verbose: bool = False
    """Show each step, and how hosts are reached."""
    debug: bool = False
    """The same, and tracebacks."""
    interactive: bool = False
    yes: bool = False
    """Accept unknown ssh host keys without a prompt."""
    ci: bool = False
    kubeconfig: str = ""
    kubeconfig_list: str = ""
    home: Path = Path("/")
    bundle: str = ""
    cache: Path | None = None
    """The folder for large caches (bundles, root file systems), if RANCHERCTL_CACHE_DIR is set."""
    sudo_password_file: Path | None = None
    """A 0600 file with the sudo password of the hosts, for runs without a terminal."""
    stdout_color: bool = False
    stderr_color: bool = False
    live: bool = False
    """Whether standard error can show a live view."""


@dataclass(frozen=True, slots=True)
class Terminals:
    """Which standard streams are terminals; read once in ``load``, injectable in tests."""

    stdin: bool
    stdout: bool
    stderr: bool

    @classmethod
    def of_process(cls) -> Terminals:
        """The streams of this process; a closed stream is not a terminal."""
        return cls(
            *(
                stream is not None and not stream.closed and stream.isatty()
                for stream in (sys.stdin, sys.stdout, sys.stderr)
            )
        )


NO_HOME: Final = Path("/proc/nonexistent")
"""The home directory of a user who has none: every file below it is missing and cannot be created, also by root."""


def home(environ: Mapping[str, str]) -> Path:
    """The user's home directory; NO_HOME if HOME is unset and the user id has no passwd entry (containers).

    Also for /nonexistent, the home of Debian's system users, which must not be created, not even by root.
    """
    try:
        found = Path(environ.get("HOME") or "~").expanduser()
    except RuntimeError:
        return NO_HOME
    return NO_HOME if found == Path("/nonexistent") else found


def complete_login(environ: MutableMapping[str, str]) -> None:
    """Set the HOME and LOGNAME that a login would have set: libraries fail without them and a passwd entry."""
    import getpass

    environ["HOME"] = str(home(environ))
    try:
        getpass.getuser()
    except (KeyError, OSError):
        environ["LOGNAME"] = f"uid-{os.getuid()}"


def write_hint(path: str, environ: Mapping[str, str]) -> str:
    """Which variable moves the folder with ``path``, for an error of writing it; "" if ``path`` is elsewhere."""
    where, own, failed = dirs(environ), home(environ), Path(path)
    folders = {"XDG_CONFIG_HOME": where.config, "XDG_STATE_HOME": where.state, "XDG_CACHE_HOME": where.cache}
    # what cannot be created may be a parent of the folder, as ~/.cache
    near = [n for n, folder in folders.items() if failed.is_relative_to(folder) or folder.is_relative_to(failed)]
    if len(near) == 1:
        return f"set {near[0]} to a folder that you can write, or HOME"
    if failed.is_relative_to(own / ".kube"):
        return "set KUBECONFIG to a file that you can write, or use --kubeconfig"
    return "set HOME to a folder that you can write" if failed.is_relative_to(own) else ""


def dirs(environ: Mapping[str, str]) -> Dirs:
    """The folders by the XDG base directory specification, which says to ignore relative values."""

    def folder(variable: str, default: str) -> Path:
        value = environ.get(variable, "")
        return (Path(value) if value.startswith("/") else home(environ) / default) / APP

    return Dirs(
        folder("XDG_CONFIG_HOME", ".config"),
        folder("XDG_STATE_HOME", ".local/state"),
        folder("XDG_CACHE_HOME", ".cache"),
    )


def load(
    flags: Mapping[str, Any], environ: Mapping[str, str] | None = None, terminals: Terminals | None = None
) -> Settings:
    """Merge the layers; ``flags`` with the value None were not given. InvalidInputError lists all invalid values."""
    env = os.environ if environ is None else environ
    term = terminals or Terminals.of_process()
    where = dirs(env)
    path = Path(env.get(PREFIX + "CONFIG", "") or where.config / "config.toml")
    problems: list[str] = []
    layers = [
        _flags_layer(flags),
        _environ_layer(env, problems),
        _file_layer(path, problems, required=bool(env.get(PREFIX + "CONFIG"))),
    ]

    def get(name: str, default: Any) -> Any:
        return next((layer[name] for layer in layers if name in layer), default)

    for name, allowed in (("color", COLORS), ("progress", PROGRESS), ("output", ("", *FORMATS))):
        for layer, source in zip(layers, (f"--{name}", PREFIX + name.upper(), f"{path}: {name}"), strict=True):
            if name in layer and layer[name] not in allowed:
                problems.append(f"{source}: {layer[name]!r} is not one of {', '.join(v for v in allowed if v)}")
    if problems:
        raise InvalidInputError(
            "invalid settings", problems, hint="rancherctl help files lists the settings and their files"
        )
    ci = env.get("CI", "").lower() in ("true", "1", "yes")
    color = get("color", "auto")
    plain = env.get("TERM") == "dumb" or bool(env.get("NO_COLOR"))
    forced = env.get("FORCE_COLOR", "") not in ("", "0")

    def colored(terminal: bool) -> bool:
        return color == "always" or (color == "auto" and (forced or (terminal and not plain and not ci)))

    cache, sudo = get("cache_dir", ""), get("sudo_password_file", "")
    return Settings(
        dirs=where,
        env=get("env", ""),
        output=get("output", ""),
        color=color,
        progress=get("progress", "auto"),
        verbose=get("verbose", False) or get("debug", False),
        debug=get("debug", False),
        interactive=not get("no_input", False) and not ci and term.stdin and term.stderr,
        yes=get("yes", False),
        ci=ci,
        kubeconfig=_at_home(get("kubeconfig", ""), env),
        kubeconfig_list=env.get("KUBECONFIG", ""),
        home=home(env),
        bundle=get("bundle", ""),
        cache=Path(_at_home(cache, env)) if cache else None,
        sudo_password_file=Path(_at_home(sudo, env)) if sudo else None,
        stdout_color=colored(term.stdout),
        stderr_color=colored(term.stderr),
        live=term.stderr and not ci and env.get("TERM") != "dumb",
    )


def _at_home(path: str, environ: Mapping[str, str]) -> str:
    """A path with ``~/`` expanded: no shell does it for values in files and variables."""
    return str(home(environ) / path[2:]) if path.startswith("~/") else path


_TEXT: Final = ("env", "output", "color", "progress", "kubeconfig", "bundle", "cache_dir", "sudo_password_file")
_FLAGS: Final = ("verbose", "debug", "no_input", "yes")


def _flags_layer(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None and value is not False}


def _environ_layer(env: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    layer: dict[str, Any] = {name: env[PREFIX + name.upper()] for name in _TEXT if env.get(PREFIX + name.upper())}
    for name in _FLAGS:
        text = env.get(PREFIX + name.upper(), "").lower()
        if text in ("1", "true", "yes"):
            layer[name] = True
        elif text not in ("", "0", "false", "no"):
            problems.append(f"{PREFIX}{name.upper()}: {text!r} is not true or false")
    return layer


def _file_layer(path: Path, problems: list[str], *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_bytes() if path.is_file() else None
    except OSError as error:
        hint = f'if another user owns the folder, take ownership: sudo chown -R "$USER" {shlex.quote(str(path.parent))}'
        raise RancherctlError(f"cannot read {path}", why=error.strerror or str(error), hint=hint) from error
    if text is None:
        if required:
            problems.append(f"{path}: no such file (set by {PREFIX}CONFIG)")
        return {}
    import tomllib

    try:
        values = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
        return {}
    layer: dict[str, Any] = {}
    for name, value in values.items():
        if name not in (*_TEXT, *_FLAGS):
            suggestion = did_you_mean(name, (*_TEXT, *_FLAGS))
            problems.append(f"{path}: unknown key {name!r}" + (f" ({suggestion})" if suggestion else ""))
        elif not isinstance(value, bool if name in _FLAGS else str):
            problems.append(f"{path}: {name} must be {'true or false' if name in _FLAGS else 'a string'}")
        else:
            layer[name] = value
    return layer
