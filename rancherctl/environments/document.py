"""Read a YAML document field by field, collecting every problem with its line and column. Pure.

Here live positions, types, unknown keys and suggestions. Not here: the fields of an environment (``inventory``) and how
they fit together (``file_checks``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rancherctl.text import closest

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
"""Values that are read: aliases of aliases can make a small document huge."""
MAX_COMPOSED = 3 * MAX_NODES
"""Nodes that are composed: MAX_BYTES has room for half a million, which would take half a minute."""


@dataclass(slots=True)
class Problems:
    """Problems with their line and column in the file."""

    source: str
    found: list[tuple[int, int, str]] = field(default_factory=list)
    visits: int = 0

    def add(self, node: yaml.Node | None, message: str) -> None:
        """Add a problem at a node (None = the whole file)."""
        mark = node.start_mark if node is not None else None
        self.found.append((mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, message))

    def lines(self) -> tuple[str, ...]:
        """``file:line:column: message`` in the file's order, without duplicates."""
        return tuple(f"{self.source}:{line}:{column}: {message}" for line, column, message in sorted(set(self.found)))


def suggestion(word: str, known: Mapping[str, object] | list[str] | tuple[str, ...]) -> str:
    """`` (did you mean 'x'?)`` or `` (known: …)`` for an unknown word."""
    similar = closest(word, known)
    return f" (did you mean {similar!r}?)" if similar else f" (known: {', '.join(sorted(set(known)))})"


class Section:
    """A mapping of the document. Read every key that it may have, then call ``finish`` to report unknown keys."""

    def __init__(self, problems: Problems, path: str, node: yaml.Node | None) -> None:
        self.problems, self.path, self.node = problems, path, node
        self.children: dict[str, yaml.Node] = {}
        self.keys: dict[str, yaml.Node] = {}
        self.known: list[str] = []
        self._read()

    def _read(self) -> None:
        import yaml

        if self.node is None or is_null(self.node):
            return
        if not isinstance(self.node, yaml.MappingNode):
            self.problems.add(self.node, f"{self.path or 'the document'} must be a mapping of keys to values")
            return
        for key, value in self.node.value:
            self.problems.visits += 1
            if self.problems.visits > MAX_NODES:
                self.problems.add(self.node, f"the document has more than {MAX_NODES} values")
                return
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if not name:
                self.problems.add(key, f"{self.path or 'the document'}: a key must be plain text")
            elif name in self.children:
                self.problems.add(key, f"{self.at(name)} is given twice")
            else:
                self.children[name], self.keys[name] = value, key

    def at(self, key: str) -> str:
        """The dotted path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str) -> yaml.Node | None:
        """The node of a key, or None if it is absent or null."""
        self.known.append(key)
        node = self.children.get(key)
        return None if node is None or is_null(node) else node

    def section(self, key: str) -> Section:
        """The mapping below a key; empty if absent."""
        return Section(self.problems, self.at(key), self.get(key))

    def bad(self, key: str, message: str) -> None:
        """Add a problem at a key's value, or at this mapping if the key is absent."""
        self.problems.add(self.children.get(key, self.node), f"{self.at(key)}: {message}")

    def text(self, key: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
        """A scalar as text; ``check`` returns "" or what is wrong with it."""
        node = self.get(key)
        if node is None:
            return default
        value = scalar(self.problems, self.at(key), node)
        wrong = check(value) if check and value is not None else ""
        if wrong:
            self.bad(key, wrong)
        return default if value is None or wrong else value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``."""

        def check(text: str) -> str:
            fits = text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high
            return "" if fits else f"must be an integer from {low} to {high}, not {text[:40]!r}"

        return int(self.text(key, str(default), check))

    def flag(self, key: str, *, default: bool) -> bool:
        """true or false."""
        node = self.get(key)
        if node is None:
            return default
        value = scalar(self.problems, self.at(key), node)
        if value is not None and value not in ("true", "false"):
            self.bad(key, f"must be true or false, not {value[:40]!r}")
        return value == "true"

    def texts(self, key: str, check: Callable[[str], str] | None = None) -> tuple[str, ...]:
        """A list of scalars."""
        out = []
        for place, node in self.items(key):
            value = scalar(self.problems, place, node)
            wrong = check(value) if check and value is not None else ""
            if wrong:
                self.problems.add(node, f"{place}: {wrong}")
            elif value is not None:
                out.append(value)
        return tuple(out)

    def items(self, key: str) -> list[tuple[str, yaml.Node]]:
        """The (path, node) pairs of a list; empty if absent."""
        import yaml

        node = self.get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.bad(key, "must be a list")
            return []
        self.problems.visits += len(node.value)
        if self.problems.visits > MAX_NODES:
            self.bad(key, f"the document has more than {MAX_NODES} values")
            return []
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(node.value)]

    def mapping(self, key: str, check: Callable[[str, str], str]) -> dict[str, str]:
        """A mapping of text to text; ``check(key, value)`` returns "" or what is wrong."""
        inner, out = self.section(key), {}
        for name, node in inner.children.items():
            value = scalar(self.problems, inner.at(name), node)
            wrong = check(name, value) if value is not None else ""
            if wrong:
                self.problems.add(node, f"{inner.at(name)}: {wrong}")
            elif value is not None:
                out[name] = value
        return out

    def finish(self) -> None:
        """Report the keys that were not read as unknown."""
        for name, node in self.keys.items():
            if name not in self.known:
                self.problems.add(node, f"{self.at(name)}: unknown key{suggestion(name, self.known)}")


def is_null(node: yaml.Node) -> bool:
    """Whether a node is YAML's null."""
    return node.tag == "tag:yaml.org,2002:null"


def scalar(problems: Problems, path: str, node: yaml.Node) -> str | None:
    """The text of a scalar as written; None after reporting that it is not one."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    problems.add(node, f"{path} must be a single value")
    return None


class _SyntaxError(Exception):
    """The text is not a YAML document: line, column and message."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.found = (line, column, message)


def compose(text: str, problems: Problems) -> yaml.Node | None:
    """The document's root node, or None after adding a problem."""
    if len(text) > MAX_BYTES:
        problems.add(None, f"the file is larger than {MAX_BYTES >> 20} MiB")
        return None
    try:
        root = _composed(text)
    except _SyntaxError as error:
        problems.found.append(error.found)
        return None
    if root is None:
        problems.add(None, "the file is empty")
    return root


def _composed(text: str) -> yaml.Node | None:
    import yaml

    try:
        return yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _SyntaxError(
            mark.line + 1 if mark else 1,
            mark.column + 1 if mark else 1,
            f"not valid YAML: {error.problem or error.context}",
        ) from error
    except RecursionError as error:
        raise _SyntaxError(1, 1, "not valid YAML: brackets or indentation are nested too deeply") from error
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        odd = (
            f"it must not contain the character U+{ord(text[error.position]):04X}"
            if error.position < len(text)
            else str(error.reason)
        )
        raise _SyntaxError(
            before.count("\n") + 1, len(before) - before.rfind("\n"), f"not valid YAML: {odd}"
        ) from error
    except yaml.YAMLError as error:
        raise _SyntaxError(1, 1, f"not valid YAML: {str(error).splitlines()[0]}") from error


def _loader() -> type[yaml.SafeLoader]:
    """A loader that limits the number of nodes."""
    import yaml

    class LimitedLoader(yaml.SafeLoader):
        nodes = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            self.nodes += 1
            if self.nodes > MAX_COMPOSED:
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise _SyntaxError(mark.line + 1, mark.column + 1, f"the document has more than {MAX_COMPOSED} values")
            return super().compose_node(parent, index)

    return LimitedLoader
