"""The cache only saves time: it returns what the uncached functions would return."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.model import Listener, Server
from rancherctl.ingress.role import desired
from rancherctl.ingress.role.desired import Desired, LocalHost, Previous, Tables
from rancherctl.ingress.translate import endpoints
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.latest import Latest
from rancherctl.kube.objects import EndpointSlice, Meta
from tests.fakes import ingress as fake

H1 = LocalHost("h1", (Listener("IPv4", 80),))


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


Rules = dict[str, tuple[str, bool]]


def _build(cache: TranslationCache, hosts: str, ingresses: Rules, pods: str, serves: str) -> Desired:
    """Ingresses by name, each with its host name and whether it is of the rancherctl class; names are letters."""
    items = [
        fake.ingress(
            name,
            [(host, "Prefix", "/", "web:80")],
            class_name="rancher" if own else "nginx",
            status=["192.0.2.1"] if name in serves else [],
            version=f"{host} {own}",
        )
        for name, (host, own) in ingresses.items()
    ]
    web = fake.endpoint_slice("web", [(f"10.0.0.{ord(pod)}", 80) for pod in pods])
    tables = Tables(
        {i.meta.key: i for i in items}, {"rancher": fake.RANCHER}, {"default/web": fake.service("web")}, {"web": web}
    )
    roster = fake.roster(*(f"h{number}" for number in hosts))
    previous = Previous([f"default/{name}" for name in serves], "192.0.2.1")
    return desired.build(tables, roster, previous, cache, H1, 0.0)


STEP = st.tuples(
    st.sampled_from(["1", "12", "21", "123", "2"]),
    st.dictionaries(
        st.sampled_from("abc"), st.tuples(st.sampled_from(["x.org", "*.org", "y.com"]), st.booleans()), max_size=3
    ),
    st.sampled_from(["", "p", "pq"]),
    st.sampled_from(["", "a", "ab"]),
)


@given(st.lists(STEP, min_size=2, max_size=8))
def test_a_kept_cache_gives_what_a_fresh_one_gives(
    steps: list[tuple[str, Rules, str, str]],
) -> None:
    """Hosts, Ingresses, their hosts and classes, endpoints and what is served change; some of it stays."""
    cache = TranslationCache()
    for step in steps:
        assert _build(cache, *step) == _build(TranslationCache(), *step)


def test_a_changed_endpoint_changes_servers_but_merges_no_paths_again() -> None:
    cache, ingresses = TranslationCache(), {"a": ("x.org", True)}
    before, after = _build(cache, "1", ingresses, "p", ""), _build(cache, "1", ingresses, "q", "")
    assert before.host.model.servers == {"default/web:80": (Server(f"10.0.0.{ord('p')}", 80),)}
    assert after.host.model.servers == {"default/web:80": (Server(f"10.0.0.{ord('q')}", 80),)}
    assert after.merged is before.merged


def test_a_function_is_called_again_only_for_other_arguments() -> None:
    calls: list[tuple[int, ...]] = []

    def total(numbers: tuple[int, ...], *, start: int = 0) -> int:
        calls.append(numbers)
        return sum(numbers, start)

    latest = Latest(total)
    assert [latest((1, 2)), latest((1, 2)), latest((1, 2), start=1), latest((3,)), latest((1, 2))] == [3, 3, 4, 3, 3]
    assert calls == [(1, 2), (1, 2), (3,), (1, 2)]
