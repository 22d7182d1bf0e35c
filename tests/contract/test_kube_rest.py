"""The REST client and faults that a real API server does not produce on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.errors import ConflictError, NotFoundError, UnreachableError, UsageError
from rancherctl.kube.client import CONFIGMAPS, PODS, GoneError, ServerError, ThrottledError, UnauthorizedError
from rancherctl.kube.rest import RestClient
from tests.fakes.kube import FakeApi, Fault


def config(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns"}, "data": data}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def client(api: FakeApi) -> Iterator[RestClient]:
    rest = RestClient(api.url)
    yield rest
    rest.close()


def seed(api: FakeApi, count: int) -> None:
    for i in range(count):
        api.store.put("/api/v1/pods", "ns", {"metadata": {"name": f"p{i:05}"}})


def test_lists_are_paged_and_one_connection_is_kept(api: FakeApi, client: RestClient) -> None:
    seed(api, 1203)
    page = client.list(PODS)
    assert len(page.items) == 1203
    assert [len(p.items) for p in client.pages(PODS)] == [500, 500, 203]
    assert page.resource_version == str(api.store.version)
    assert api.connections == 1


def test_an_expired_page_token_restarts_the_list(api: FakeApi, client: RestClient) -> None:
    seed(api, 700)
    pages = client.pages(PODS)
    next(pages)
    api.store.delete("/api/v1/pods", "ns", "p00000")
    api.compact()
    again = next(pages)
    assert again.restarted
    assert len(again.items) == 699
    assert again.resource_version == str(api.store.version)
    assert len(client.list(PODS).items) == 699


def test_an_idle_connection_that_the_server_closed_is_not_used(api: FakeApi, client: RestClient) -> None:
    client.raw("GET", "/readyz")
    api.cut(path="/configmaps")
    with pytest.raises(UnreachableError) as e:
        client.create(CONFIGMAPS, config("a"))
    assert "unknown" in e.value.hint
    client.create(CONFIGMAPS, config("a"))


def test_a_read_is_repeated_once_when_an_old_connection_breaks(api: FakeApi, client: RestClient) -> None:
    client.create(CONFIGMAPS, config("a", k="v"))
    api.cut(path="/configmaps")
    assert client.get(CONFIGMAPS, "a", namespace="ns")["data"] == {"k": "v"}
    api.cut(times=2, path="/configmaps")
    with pytest.raises(UnreachableError):
        client.get(CONFIGMAPS, "a", namespace="ns")


def test_an_answer_cut_in_the_middle_is_an_error(api: FakeApi, client: RestClient) -> None:
    api.cut(path="/pods", after_head=True)
    with pytest.raises(UnreachableError):
        client.list(PODS)


@pytest.mark.parametrize("trickle", [b"", b"HTTP/1.1 200 OK\r\n", b"X-Filler: 1\r\n"])
def test_the_timeout_applies_to_the_whole_call_even_if_bytes_keep_arriving(
    api: FakeApi, client: RestClient, trickle: bytes
) -> None:
    api.stall(path="/pods", trickle=trickle)
    ended: list[BaseException] = []

    def call() -> None:
        with pytest.raises(UnreachableError) as e:
            client.list(PODS, timeout=0.3)
        ended.append(e.value)

    # If every byte restarted the timeout, the call would never end.
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(60)
    assert ended


def test_a_closed_port_is_unreachable() -> None:
    fake = FakeApi()
    fake.close()
    with pytest.raises(UnreachableError) as e:
        RestClient(fake.url).list(PODS)
    assert "127.0.0.1" in e.value.what


def test_errors_of_the_server_are_typed(api: FakeApi, client: RestClient) -> None:
    api.fail(429, retry_after="7", path="/pods")
    with pytest.raises(ThrottledError) as e:
        client.list(PODS)
    assert e.value.retry_after == 7
    api.fail(500)
    with pytest.raises(ServerError):
        client.list(PODS)


@pytest.mark.parametrize("server", ["", "ftp://x", "https://", "https://x:port", "https://x/?q", "https://a\nb"])
def test_invalid_server_addresses_are_refused(server: str) -> None:
    with pytest.raises(UsageError):
        RestClient(server)


def test_a_token_with_a_newline_is_not_sent(api: FakeApi) -> None:
    with pytest.raises(UsageError) as e:
        RestClient(api.url, token="secret\r\nX: y").list(PODS)
    assert "secret" not in str(e.value)
    assert not api.requests


def test_the_token_is_requested_for_each_call(api: FakeApi) -> None:
    tokens = iter("ab")
    asked = []

    def token() -> str:
        asked.append(next(tokens))
        return asked[-1]

    client = RestClient(api.url, token=token)
    client.list(PODS)
    client.list(PODS)
    client.close()
    assert asked == ["a", "b"]


class Renewable:
    """Tokens of a session; ``renew`` gives the next one."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    def __call__(self) -> str:
        return self.tokens[0]

    def renew(self, refused: str) -> bool:
        self.refused.append(refused)
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0] != refused


@pytest.mark.parametrize(
    ("tokens", "accepted", "sent"),
    [
        (("old", "new"), "new", ["old", "new"]),
        (("old", "new", "third"), "third", ["old", "new"]),
        (("old",), "x", ["old"]),
    ],
    ids=["renewed", "once", "no other"],
)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_a_refused_token_is_renewed_once(
    api: FakeApi, tokens: tuple[str, ...], accepted: str, sent: list[str], write: bool
) -> None:
    seen: list[str] = []

    def act(handler: Any) -> bool:
        seen.append(handler.headers["Authorization"].removeprefix("Bearer "))
        if seen[-1] == accepted:
            return False
        handler.answer(401, {"kind": "Status", "code": 401, "message": "Unauthorized"})
        return True

    api.faults.append(Fault(lambda _m, _p, _q: True, act, 9))
    source = Renewable(*tokens)
    with RestClient(api.url, token=source) as client:
        call = (lambda: client.create(CONFIGMAPS, config("a"))) if write else (lambda: client.list(PODS))
        if accepted in sent:
            call()
        else:
            with pytest.raises(UnauthorizedError):
                call()
    assert (seen, source.refused) == (sent, ["old"])


def test_failed_preconditions_conflict_and_missing_objects_are_not_found(client: RestClient) -> None:
    made = client.create(CONFIGMAPS, config("a", k="1"))
    client.replace(CONFIGMAPS, made | {"data": {"k": "2"}})
    with pytest.raises(ConflictError):
        client.replace(CONFIGMAPS, made | {"data": {"k": "3"}})
    with pytest.raises(NotFoundError):
        client.delete(CONFIGMAPS, "nope", namespace="ns")
    with pytest.raises(UsageError):
        client.replace(CONFIGMAPS, {"data": {}})


def test_a_write_that_is_no_longer_wanted_when_the_connection_is_open_is_not_sent(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader may be frozen, or wait for a connection, between its decision and its write."""
    leads = [True]

    def gate() -> None:
        if not leads[0]:
            raise ConflictError("not the leader any more")

    with RestClient(api.url, gate=gate) as client:
        client.create(CONFIGMAPS, config("a", x="1"))
        take = client._pool.take

        def slow(*args: Any, **kwargs: Any) -> Any:
            taken = take(*args, **kwargs)
            leads[0] = False
            return taken

        monkeypatch.setattr(client._pool, "take", slow)
        writes = (
            lambda: client.replace(CONFIGMAPS, config("a", x="2")),
            lambda: client.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, namespace="ns"),
            lambda: client.create(CONFIGMAPS, config("b")),
            lambda: client.delete(CONFIGMAPS, "a", namespace="ns"),
        )
        for write in writes:
            leads[0] = True
            with pytest.raises(ConflictError, match="not the leader any more"):
                write()
        assert [method for method, _ in api.requests] == ["POST"]
        assert client.get(CONFIGMAPS, "a", namespace="ns")["data"] == {"x": "1"}


def test_events_that_arrive_together_are_one_batch(api: FakeApi, client: RestClient) -> None:
    version = str(api.store.version)
    seed(api, 2000)
    stream = client.watch_batches(PODS, resource_version=version)
    sizes = []
    for batch in stream:
        sizes.append(len([e for e in batch if e.type == "ADDED"]))
        if sum(sizes) == 2000:
            stream.close()
    assert len(sizes) < 400


def test_a_silent_watch_is_an_error(api: FakeApi, client: RestClient) -> None:
    api.silent = True
    with pytest.raises(UnreachableError, match="silent"):
        list(client.watch(PODS, resource_version=str(api.store.version), timeout=0.4))


def test_events_before_an_error_are_delivered(api: FakeApi, client: RestClient) -> None:
    version = str(api.store.version)
    seed(api, 3)
    api.watch_error(410)
    events = client.watch(PODS, resource_version=version)
    assert [next(events).type for _ in range(3)] == ["ADDED"] * 3
    with pytest.raises(GoneError):
        next(events)


def test_a_version_that_no_longer_exists_is_an_error(api: FakeApi, client: RestClient) -> None:
    version = str(api.store.version)
    seed(api, 1)
    api.compact()
    with pytest.raises(GoneError):
        next(client.watch(PODS, resource_version=version))


def test_close_ends_watches_of_other_threads(api: FakeApi, client: RestClient) -> None:
    got: list[object] = []
    stream = client.watch_batches(PODS, resource_version=str(api.store.version))
    thread = threading.Thread(target=lambda: got.extend(stream))
    thread.start()
    api.wait_watching()
    client.close()
    thread.join(60)
    assert not thread.is_alive()


def test_lines_of_any_size_are_read(api: FakeApi, client: RestClient) -> None:
    big = "x" * 3_000_000
    version = str(api.store.version)
    api.store.put("/api/v1/configmaps", "ns", {"metadata": {"name": "big"}, "data": {"k": big}})
    event = next(client.watch(CONFIGMAPS, resource_version=version))
    assert event.object["data"]["k"] == big
