"""The cache only saves time: it returns what the uncached functions would return."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.translate import endpoints
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.kube.objects import EndpointSlice, Meta


def _slice(name: str, service: str) -> EndpointSlice:
    return EndpointSlice(Meta("ns", name), service, "IPv4", (), ())


TABLE = st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(["", "x", "y", "z"]), max_size=7)


@given(st.lists(st.tuples(TABLE, st.sets(st.sampled_from("abcdefg"))), min_size=1, max_size=8))
def test_slices_are_grouped_by_service_change_by_change(steps: list[tuple[dict[str, str], set[str]]]) -> None:
    """Slices are added, removed, changed and moved to another Service; lists without changes stay the same objects."""
    cache = TranslationCache()
    table: dict[str, EndpointSlice] = {}
    for wanted, renewed in steps:
        old = dict(cache.slices_by_service(table))
        table = {
            f"ns/{name}": known
            if (known := table.get(f"ns/{name}")) and known.service == service and name not in renewed
            else _slice(name, service)
            for name, service in wanted.items()
        }
        found = cache.slices_by_service(table)
        fresh = endpoints.by_service(table.values())
        assert {key: {id(s) for s in listed} for key, listed in found.items()} == {
            key: {id(s) for s in listed} for key, listed in fresh.items()
        }
        assert all(len(listed) == len(fresh[key]) for key, listed in found.items())
        for key, listed in found.items():
            same = (
                key in old
                and len(old[key]) == len(listed)
                and all(a is b for a, b in zip(old[key], listed, strict=True))
            )
            assert not same or old[key] is listed
