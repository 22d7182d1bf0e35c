from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import InvalidInputError
from rancherctl.settings import Terminals, dirs, load

ALL = Terminals(stdin=True, stdout=True, stderr=True)
NONE = Terminals(stdin=False, stdout=False, stderr=False)


def settings(home: Path, flags: dict[str, Any] | None = None, terminals: Terminals = ALL, **environ: str) -> Any:
    return load(flags or {}, {"HOME": str(home), **environ}, terminals)


def config(home: Path, text: str) -> Path:
    path = home / ".config/rancherctl/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_folders_follow_xdg_and_ignore_relative_values() -> None:
    found = dirs({"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "relative"})
    assert (found.config, found.state, found.cache) == (
        Path("/h/.config/rancherctl"),
        Path("/s/rancherctl"),
        Path("/h/.cache/rancherctl"),
    )


def test_flags_take_precedence_over_variables_and_those_over_the_file(tmp_path: Path) -> None:
    config(tmp_path, 'env = "from-file"\ncolor = "never"\noutput = "yaml"\n')
    found = settings(
        tmp_path, {"env": "from-flag", "color": None}, RANCHERCTL_ENV="from-variable", RANCHERCTL_OUTPUT="json"
    )
    assert (found.env, found.output, found.color) == ("from-flag", "json", "never")


def test_a_flag_that_was_not_given_does_not_hide_the_file(tmp_path: Path) -> None:
    config(tmp_path, "debug = true\n")
    assert settings(tmp_path, {"debug": False}).debug


def test_all_invalid_values_are_reported_at_once_with_their_source(tmp_path: Path) -> None:
    path = config(tmp_path, 'colour = "never"\nprogress = 3\n')
    with pytest.raises(InvalidInputError) as caught:
        settings(tmp_path, {"color": "blue"}, RANCHERCTL_OUTPUT="xml", RANCHERCTL_DEBUG="maybe")
    text = "\n".join(caught.value.problems)
    assert f"{path}: unknown key 'colour' (did you mean \"color\"?)" in text
    assert f"{path}: progress must be a string" in text
    assert "--color: 'blue' is not one of auto, always, never" in text
    assert "RANCHERCTL_OUTPUT: 'xml'" in text
    assert "RANCHERCTL_DEBUG: 'maybe' is not true or false" in text


def test_broken_toml_names_the_file_and_line(tmp_path: Path) -> None:
    path = config(tmp_path, "env = \n")
    with pytest.raises(InvalidInputError, match=rf"{path}: .*line 1"):
        settings(tmp_path)


def test_a_config_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        settings(tmp_path, RANCHERCTL_CONFIG=str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("environ", "terminals", "expected"),
    [
        ({}, ALL, True),
        ({}, NONE, False),
        ({"NO_COLOR": "1"}, ALL, False),
        ({"TERM": "dumb"}, ALL, False),
        ({"CI": "true"}, ALL, False),
        ({"FORCE_COLOR": "1"}, NONE, True),
        ({"FORCE_COLOR": "0"}, NONE, False),
        ({"RANCHERCTL_COLOR": "always", "NO_COLOR": "1"}, NONE, True),
        ({"RANCHERCTL_COLOR": "never", "FORCE_COLOR": "1"}, ALL, False),
    ],
)
def test_colours_follow_the_flag_and_the_terminal(
    tmp_path: Path, environ: dict[str, str], terminals: Terminals, expected: bool
) -> None:
    assert settings(tmp_path, None, terminals, **environ).stdout_color is expected


@pytest.mark.parametrize(
    ("environ", "flags", "terminals", "expected"),
    [
        ({}, {}, ALL, True),
        ({}, {"no_input": True}, ALL, False),
        ({"CI": "true"}, {}, ALL, False),
        ({"RANCHERCTL_NO_INPUT": "1"}, {}, ALL, False),
        ({}, {}, Terminals(stdin=False, stdout=True, stderr=True), False),
    ],
)
def test_prompts_need_a_terminal(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, Any], terminals: Terminals, expected: bool
) -> None:
    assert settings(tmp_path, flags, terminals, **environ).interactive is expected


def test_the_kubeconfig_flag_and_the_list_of_kubectl_are_kept_apart(tmp_path: Path) -> None:
    found = settings(tmp_path, {"kubeconfig": "/c"}, KUBECONFIG="/a:/b")
    assert (found.kubeconfig, found.kubeconfig_list, found.home) == ("/c", "/a:/b", tmp_path)


def test_a_tilde_in_the_file_is_the_home_folder(tmp_path: Path) -> None:
    config(tmp_path, 'kubeconfig = "~/k/c"\ncache_dir = "~/cache"\n')
    found = settings(tmp_path)
    assert (found.kubeconfig, found.cache) == (f"{tmp_path}/k/c", tmp_path / "cache")


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({}, {}, (False, False)),
        ({}, {"verbose": True}, (True, False)),
        ({"RANCHERCTL_VERBOSE": "yes"}, {}, (True, False)),
        ({}, {"debug": True}, (True, True)),
    ],
)
def test_debug_includes_verbose(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    found = settings(tmp_path, flags, ALL, **environ)
    assert (found.verbose, found.debug) == expected
