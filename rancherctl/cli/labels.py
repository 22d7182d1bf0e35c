"""Labels as arguments and options: KEY=VALUE sets one, KEY- removes it."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.errors import UsageError


def label_options(texts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The labels of repeated options ``--label KEY=VALUE``, and a line for each text that cannot be used."""
    from rancherctl.names import is_label_key, is_label_value

    out, wrong = dict[str, str](), list[str]()
    for text in texts:
        key, value = _key_value(text)
        if value is None:
            wrong.append(f"--label: {text!r} is not of the form KEY=VALUE")
        elif not is_label_key(key):
            wrong.append(f"--label: {key!r} is not a label key")
        elif not is_label_value(value):
            wrong.append(f"--label: {value!r} is not a label value")
        elif out.setdefault(key, value) != value:
            wrong.append(f"--label: {key} is given twice")
    return out, wrong


def label_changes(changes: Sequence[str]) -> tuple[str | None, dict[str, str], tuple[str, ...]]:
    """The environment if the first argument is one, labels to set, keys to remove; UsageError with all faults."""
    from rancherctl.environments import syntax

    name = None if "=" in changes[0] or changes[0].endswith("-") else changes[0]
    wanted, removed, wrong = dict[str, str](), list[str](), list[str]()
    for text in changes[name is not None :]:
        key, value = _key_value(text)
        if value is not None:
            if wanted.setdefault(key, value) != value:
                wrong.append(f"{key} is given twice")
        elif key.endswith("-"):
            key, value = key.removesuffix("-"), ""
            removed.append(key)
        else:
            wrong.append(f"{text!r} is neither KEY=VALUE nor KEY-")
            continue
        if problem := syntax.label(key, value):
            wrong.append(problem)
    wrong += [f"{key} is both set and removed" for key in removed if key in wanted]
    if wrong:
        raise UsageError("invalid labels", why="; ".join(wrong), hint="write KEY=VALUE to set one, KEY- to remove one")
    if not wanted and not removed:
        raise UsageError("no label to set or remove", hint=f"rancherctl env show {name} prints the labels")
    return name, wanted, tuple(removed)


def _key_value(text: str) -> tuple[str, str | None]:
    """The value is None without an equals sign."""
    key, equals, value = text.partition("=")
    return key, value if equals else None
