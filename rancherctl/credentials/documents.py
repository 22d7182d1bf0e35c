"""YAML of untrusted files: bounded size and aliases, scalars as kubectl reads them.

And YAML that kubectl reads back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rancherctl.errors import UsageError

LARGEST = 8 << 20
MOST_NODES = 500_000
"""Counted with aliases expanded: a few lines of nested aliases may expand to billions of nodes."""
_NUMBER_ELSEWHERE = re.compile(
    r"^[-+]?(?:(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|0[oOxXbB][0-9a-fA-F_]+)$"
)


def load_first(data: bytes, where: str) -> tuple[Any, bool]:
    """(value of the first document, whether others with content follow). The value of an empty one is None.

    UsageError names ``where`` and, if known, line and column. The documents that follow need not be valid YAML:
    kubectl does not read them.
    """
    import yaml

    more = False

    def first(loader: Any) -> Iterator[Any]:
        nonlocal more
        yield loader.get_node() if loader.check_node() else None
        try:
            while not more and loader.check_node():
                node = loader.get_node()
                more = node.tag != "tag:yaml.org,2002:null"
        except yaml.YAMLError:
            more = True

    return _construct(data, where, first)[0], more


def load_all(data: bytes, where: str) -> list[Any]:
    """The values of all documents that are not empty; errors as in ``load_first``."""

    def nodes(loader: Any) -> Iterator[Any]:
        while loader.check_node():
            yield loader.get_node()

    return [value for value in _construct(data, where, nodes) if value is not None]


def _construct(data: bytes, where: str, nodes: Callable[[Any], Iterable[Any]]) -> list[Any]:
    import yaml

    if len(data) > LARGEST:
        raise UsageError(f"{where} is too large", why=f"{len(data)} bytes; the limit is {LARGEST}")
    try:
        loader = _loader()(data)
        try:
            values = []
            for node in nodes(loader):
                if node is not None:
                    _count(node, where)
                values.append(None if node is None else loader.construct_document(node))
            return values
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise UsageError(f"{place} is not valid YAML", why=e.problem or e.context or "syntax error") from e
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        raise UsageError(f"{where} is not valid YAML", why=str(e)[:300] or type(e).__name__) from e


def dump(value: Any) -> bytes:
    """YAML in the order of the value's keys; strings that some reader would parse as another type are quoted."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the base class's signature
            return True

    # YAML 1.1 parsers in Go read these as booleans, PyYAML does not.
    Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:y|Y|n|N)$"), list("yYnN"))
    # And these as numbers: an unquoted 1e3 or 08 makes the whole file unreadable for kubectl.
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_ELSEWHERE, list("-+.0123456789"))
    text: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, default_flow_style=False, allow_unicode=False, width=1000
    )
    return text.encode()


def _loader() -> Any:
    """A safe loader that reads dates and base 60 numbers as strings, like kubectl."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    kept = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("bool", "null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.yaml_implicit_resolvers = kept
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?$"), list("-+0123456789")
    )
    return Loader


def _count(root: Any, where: str) -> None:
    """UsageError for a document that is too large or endless with aliases expanded."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        children = _children(node)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
            if sizes[id(node)] > MOST_NODES:
                raise UsageError(f"{where} is too large", why=f"its aliases expand to more than {MOST_NODES} values")
        elif id(node) in open_nodes:
            raise UsageError(f"{where} contains itself", why="an alias refers to a node around it")
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            stack.append((node, True))
            stack += [(child, False) for child in children if id(child) not in sizes]


def _children(node: Any) -> list[Any]:
    """Child nodes; keys and values of a mapping alike."""
    if not isinstance(node.value, list):
        return []
    return [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
