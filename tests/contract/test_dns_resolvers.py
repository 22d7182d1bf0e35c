"""Resolvers as companies have them, with BIND 9.18 and 9.20: order, life signs, stale and cached data."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from rancherctl.dns import named_conf, names
from rancherctl.dns.reconcile import DnsRole
from tests.fakes.dns_queries import ask, settle, values
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service
from tests.fakes.dns_upstream import Upstream
from tests.fakes.named import Named, program_9_20
from tests.fakes.ports import free_port

GIVE_UP = 120.0


@pytest.fixture(params=["installed", "9.20"])
def program(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "installed":
        return ("named",)
    if not (found := program_9_20()):
        pytest.skip("BIND 9.20 comes with the root file system of lab hosts (rancherctl lab up --image debian13)")
    return found


@pytest.fixture
def company() -> Iterator[Upstream]:
    found = Upstream("127.0.0.2", free_port())
    found.address = "192.0.2.80"
    yield found
    found.close()


@pytest.fixture
def public() -> Iterator[Upstream]:
    found = Upstream("127.0.0.3", free_port())
    found.address = "198.51.100.80"
    yield found
    found.close()


class Site:
    """A server with its role in a thread, as on a host."""

    def __init__(self, named: Named) -> None:
        self.named, self.world, self.section = named, World(), dict[str, object]()
        self.role = DnsRole(named.config, named)
        self._woken, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.world.add(service("web", "10.43.0.5"))

    def start(self) -> None:
        self.named.start()
        self.role.start(self._woken.set)
        self._thread.start()
        self.until(lambda: bool(self.section.get("synced")) and bool(self.servers()))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.section = dict(self.role.reconcile(self.world.snapshot()))
            self._woken.wait(0.05)
            self._woken.clear()

    def until(self, done: Callable[[], bool]) -> float:
        """Wait; the seconds that it took."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < GIVE_UP, (self.section, self.named.log()[-3000:])
            time.sleep(0.02)
        return time.monotonic() - began

    def servers(self) -> dict[str, dict[str, object]]:
        """The upstreams by server and domain (``10.0.0.53 corp.example``)."""
        found = self.section.get("upstreams") or {}
        assert isinstance(found, dict)
        return {f"{row['server']} {row['domain']}".strip(): row for row in found["servers"]}

    def used(self, domain: str = "") -> list[str]:
        return [str(row["server"]) for row in self.servers().values() if row["in_use"] and row["domain"] == domain]

    def stop(self) -> None:
        self._stop.set()
        self._woken.set()
        self._thread.join(60)
        self.role.stop()
        self.named.stop()


@contextmanager
def site(folder: Path, program: tuple[str, ...], *upstreams: Upstream, **settings: object) -> Iterator[Site]:
    config = {"upstreams": tuple(one.at for one in upstreams), **settings}
    found = Site(Named(folder, program=program, **config))
    Path(found.named.config.forwarders_file).write_text(named_conf.forwarders((upstreams[0].at,)))
    try:
        found.start()
        yield found
    finally:
        found.stop()


_names = iter(f"n{number}.example.com." for number in range(10**6))


def new(domain: str) -> str:
    """A name of a domain that was never asked for."""
    return f"{next(_names).partition('.')[0]}.{domain}"


def answer(at: Site, name: str = "") -> list[str]:
    """The addresses of a name, by default one that was never asked for."""
    return values(ask(at.named, name or next(_names)))


def asked_for(upstream: Upstream) -> list[str]:
    """The names that the server asked it for; test questions are others."""
    return [name for name in upstream.names if name.startswith("n")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.dns.upstream_health.INTERVAL", 0.3)


def test_the_given_order_is_kept_however_fast_the_others_are(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    """Internal names do not exist for the public resolver."""
    company.delay = 0.1
    with site(tmp_path, program, company, public) as at:
        assert [answer(at) for _ in range(20)] == [["192.0.2.80"]] * 20
        assert asked_for(public) == []
        rows = at.servers()
        assert [(row["order"], row["alive"], row["in_use"]) for row in rows.values()] == [
            (1, True, True),
            (2, True, False),
        ]
        latency = rows[company.at]["latency_ms"]
        assert isinstance(latency, float)
        assert latency >= 100


def test_the_next_is_used_only_while_the_former_does_not_answer_and_the_cache_is_kept(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    company.ttl = 600
    with site(tmp_path, program, company, public) as at:
        cached = next(_names)
        assert answer(at, cached) == ["192.0.2.80"]
        company.mode = "silent"
        at.until(lambda: at.used() == [public.at])
        at.until(lambda: answer(at) == ["198.51.100.80"])
        assert answer(at, cached) == ["192.0.2.80"], "what was cached before the change is answered from the cache"
        row = at.servers()[company.at]
        assert row["alive"] is False
        assert "no answer within" in str(row["why"])
        company.mode = "good"
        at.until(lambda: at.used() == [company.at])
        at.until(lambda: answer(at) == ["192.0.2.80"])
        assert at.named.starts == 1


def test_a_restarted_agent_does_not_return_to_a_dead_upstream(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    company.mode = "silent"
    with site(tmp_path, program, company, public) as at:
        at.until(lambda: at.used() == [public.at])
        reloads = at.named.reloads
        second = DnsRole(at.named.config, at.named)
        woken = threading.Event()
        second.start(woken.set)
        try:
            assert woken.wait(60)
            settle(second, at.world.snapshot())
        finally:
            second.stop()
        assert public.at.partition(":")[0] in Path(at.named.config.forwarders_file).read_text()
        assert at.named.reloads == reloads + 1, "it cannot know that the server has read the file"


@pytest.mark.parametrize("fault", ["refuses", "drops"])
def test_a_filter_for_questions_about_the_root_is_not_death(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream, fault: str
) -> None:
    setattr(company, {"refuses": "refuse", "drops": "drop"}[fault], lambda name, kind: name == "." and kind == "NS")
    with site(tmp_path, program, company, public) as at:
        at.until(lambda: bool(at.servers()[company.at]["note"]))
        row = at.servers()[company.at]
        assert (row["alive"], row["in_use"], row["why"]) == (True, True, "")
        assert row["note"] == {"refuses": "answers REFUSED to . NS", "drops": "does not answer . NS"}[fault]
        assert answer(at) == ["192.0.2.80"]


def test_one_that_refuses_all_test_questions_is_used_in_its_order_and_reported(
    tmp_path: Path, company: Upstream, public: Upstream
) -> None:
    company.refuse = lambda name, kind: not name.startswith("n")
    with site(tmp_path, ("named",), company, public) as at:
        at.until(lambda: "example.com. A" in str(at.servers()[company.at]["why"]))
        assert at.used() == [company.at]
        assert answer(at) == ["192.0.2.80"]


def test_one_that_drops_everything_is_dead_and_its_reason_is_reported(
    tmp_path: Path, company: Upstream, public: Upstream
) -> None:
    with site(tmp_path, ("named",), company, public) as at:
        company.close()
        at.until(lambda: at.servers()[company.at]["alive"] is False)
        assert "connection refused" in str(at.servers()[company.at]["why"])


def test_negative_answers_are_kept_30_seconds_and_positive_ones_an_hour_at_most(
    tmp_path: Path, program: tuple[str, ...], company: Upstream
) -> None:
    new = next(_names)
    company.records[new], company.minimum, company.ttl = None, 10800, 604800
    with site(tmp_path, program, company) as at:
        missing = ask(at.named, new)
        assert missing.rcode() == dns.rcode.NXDOMAIN
        assert missing.authority[0].ttl <= 30
        nodata = ask(at.named, next(_names), "TXT")
        assert (nodata.rcode(), nodata.answer) == (dns.rcode.NOERROR, [])
        assert ask(at.named, next(_names)).answer[0].ttl <= named_conf.MAX_CACHE_TTL


def test_a_name_made_after_it_was_asked_for_exists_after_the_negative_ttl(
    tmp_path: Path, program: tuple[str, ...], company: Upstream
) -> None:
    new = next(_names)
    company.records[new] = None
    with site(tmp_path, program, company, max_negative_ttl=1) as at:
        assert ask(at.named, new).rcode() == dns.rcode.NXDOMAIN
        del company.records[new]
        at.until(lambda: answer(at, new) == ["192.0.2.80"])


def test_stub_domains_have_their_own_servers(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    stubs = {"corp.example": (company.at,), "eu.corp.example": (public.at,)}
    company.drop = lambda name, kind: not name.endswith("corp.example.")
    with site(tmp_path, program, public, stub_domains=stubs) as at:
        assert answer(at, "n1.corp.example.") == ["192.0.2.80"]
        assert answer(at, "corp.example.") == ["192.0.2.80"]
        assert answer(at, "n1.eu.corp.example.") == ["198.51.100.80"]
        assert answer(at, "n1.notcorp.example.") == ["198.51.100.80"]
        assert at.servers()[f"{company.at} corp.example"]["alive"] is True
        assert at.servers()[f"{company.at} corp.example"]["note"] == ""


def test_servers_of_a_stub_domain_are_used_in_their_order(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    """The second may be a read-only copy that lags: it is asked only while the first does not answer."""
    company.delay = 0.1
    stubs = {"corp.example": (company.at, public.at)}
    with site(tmp_path, program, public, stub_domains=stubs) as at:
        assert [answer(at, f"n{number}.corp.example.") for number in range(10)] == [["192.0.2.80"]] * 10
        assert [name for name in asked_for(public) if name.endswith("corp.example.")] == []
        company.mode = "silent"
        at.until(lambda: at.used("corp.example") == [public.at])
        at.until(lambda: answer(at, new("corp.example.")) == ["198.51.100.80"])
        assert "no answer within" in str(at.servers()[f"{company.at} corp.example"]["why"])
        company.mode = "good"
        at.until(lambda: at.used("corp.example") == [company.at])
        at.until(lambda: answer(at, new("corp.example.")) == ["192.0.2.80"])
        assert at.used() == [public.at]
        assert at.named.starts == 1


def test_answers_that_are_too_large_for_udp_come_over_tcp(
    tmp_path: Path, program: tuple[str, ...], company: Upstream
) -> None:
    company.large = True
    with site(tmp_path, program, company) as at:
        assert answer(at) == ["192.0.2.80"]
        assert company.asked_tcp


def test_an_upstream_may_have_an_ipv6_address(tmp_path: Path, program: tuple[str, ...]) -> None:
    upstream = Upstream("::1", free_port())
    try:
        with site(tmp_path, program, upstream) as at:
            assert answer(at) == ["192.0.2.80"]
            assert at.used() == [upstream.at]
    finally:
        upstream.close()


def test_expired_data_is_never_served_while_the_upstream_answers(
    tmp_path: Path, program: tuple[str, ...], company: Upstream
) -> None:
    """A database that failed over: the first answer after the TTL is the new address, also if it comes late."""
    name = next(_names)
    with site(tmp_path, program, company) as at:
        assert answer(at, name) == ["192.0.2.80"]
        company.address, company.delay = "192.0.2.81", 0.5
        time.sleep(1.1)
        assert answer(at, name) == ["192.0.2.81"]


@pytest.mark.parametrize("failure", ["lame", "silent"])
def test_expired_data_is_served_when_the_upstream_fails(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, failure: str
) -> None:
    name = next(_names)
    with site(tmp_path, program, company) as at:
        assert answer(at, name) == ["192.0.2.80"]
        time.sleep(1.1)
        company.mode = failure
        found = ask(at.named, name)
        assert (values(found), found.answer[0].ttl) == (["192.0.2.80"], 5)


CLIENT = 5.0
"""Seconds that glibc and musl wait for an answer; a server that does not get one itself gives up after 10."""


def test_expired_data_is_served_before_clients_give_up_while_no_upstream_answers(
    tmp_path: Path, program: tuple[str, ...], company: Upstream, public: Upstream
) -> None:
    """BIND 9.18 waits for 1.8 s; 9.20 cannot, and serves it at once from when the agent knows, until one answers."""
    names_ = [next(_names) for _ in range(4)]
    with site(tmp_path, program, company, public) as at:
        for name in names_:
            assert answer(at, name) == ["192.0.2.80"]
        company.mode = public.mode = "silent"
        at.until(lambda: not any(row["alive"] for row in at.servers().values()))
        at.until(lambda: "timeout off" not in Path(at.named.config.forwarders_file).read_text())
        at.until(lambda: values(ask(at.named, names_[0])) == ["192.0.2.80"])
        for name in names_[1:]:
            assert values(ask(at.named, name, seconds=CLIENT)) == ["192.0.2.80"]
        company.mode, company.address = "good", "192.0.2.81"
        at.until(lambda: at.used() == [company.at])
        at.until(lambda: answer(at) == ["192.0.2.81"])
        at.until(lambda: answer(at, names_[1]) == ["192.0.2.81"])
        company.address = "192.0.2.82"
        time.sleep(1.1)
        assert answer(at, names_[1]) == ["192.0.2.82"], "asked first again"
        assert at.named.starts == 1


def test_with_bind_9_18_expired_data_of_one_silent_domain_is_served_before_clients_give_up(
    tmp_path: Path, company: Upstream
) -> None:
    """The upstream answers, but not for this name. BIND 9.20 has no setting for it: the first client waits 10 s."""
    name = next(_names)
    with site(tmp_path, ("named",), company) as at:
        if not str(at.section["engine"]).startswith("9.18."):
            pytest.skip("needs BIND 9.18")
        at.until(lambda: "timeout 1800" in Path(at.named.config.forwarders_file).read_text())
        assert answer(at, name) == ["192.0.2.80"]
        time.sleep(1.1)
        company.drop = lambda asked, kind: asked == name
        found = ask(at.named, name, seconds=CLIENT)
        assert (values(found), found.answer[0].ttl) == (["192.0.2.80"], 5)
        assert at.servers()[company.at]["alive"] is True


def test_reverse_names_outside_the_networks(tmp_path: Path, program: tuple[str, ...], company: Upstream) -> None:
    """A pod on the host network has one; the others of its network come from the upstream. Dashed names everywhere."""
    with site(tmp_path, program, company) as at:
        at.world.add(service("exporter", "10.43.0.9"), endpoint_slice("exporter", [endpoint("192.0.2.7")]))
        dashed = "192-0-2-7.exporter.default.svc.cluster.local."
        at.until(lambda: answer(at, dashed) == ["192.0.2.7"])
        at.until(lambda: values(ask(at.named, names.reverse("192.0.2.7"), "PTR")) == [dashed])
        assert values(ask(at.named, names.reverse("192.0.2.8"), "PTR")) == ["outside.example."]
