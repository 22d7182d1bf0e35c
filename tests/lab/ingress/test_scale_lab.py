"""Scaling an Ingress up and down while clients use it."""

import time

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, curl, until
from tests.lab.traffic import IngressWatch, Traffic, failed


def test_scale_two_three_one_without_a_failed_request(shared: Environment, namespace: str, measure: Measure) -> None:
    """2 → 3 → 1: addresses follow the annotation; what left goes on serving until its address is gone, then stops; no request fails meanwhile.

    Clients take their addresses from the status, as public DNS would, and may hold one that was published until a second ago.
    """
    w.web(shared, namespace, 3)
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2"))
    with IngressWatch(shared, namespace, "web") as watch:
        first = watch.wait(lambda s: len(s.addresses) == 2).addresses
        with Traffic(watch.current, w.host(namespace)) as traffic:
            traffic.wait_for(30)
            shared.kubectl("annotate", "ingress", "web", "-n", namespace, "scale=3", "--overwrite")
            asked = watch.wait(lambda s: s.scale == "3")
            three = watch.wait(lambda s: len(s.addresses) == 3, since=asked.at)
            measure("scale 2 to 3, addresses", three.at - asked.at, "s")
            assert set(first) < set(three.addresses), "growing moves nobody"
            traffic.wait_for(30, to=(set(three.addresses) - set(first)).pop())
            shared.kubectl("annotate", "ingress", "web", "-n", namespace, "scale=1", "--overwrite")
            asked = watch.wait(lambda s: s.scale == "1")
            one = watch.wait(lambda s: len(s.addresses) == 1, since=asked.at)
            measure("scale 3 to 1, addresses", one.at - asked.at, "s")
            assert set(one.addresses) < set(three.addresses), "shrinking moves nobody"
            left = set(three.addresses) - set(one.addresses)
            for address in left:
                until(f"{address} stops", lambda a=address: curl(a, w.host(namespace), timeout=2)[0] == 0)
            measure("scale 3 to 1, last host stopped", time.monotonic() - one.at, "s")
            traffic.wait_for(30)
        samples = traffic.samples()
        sizes = {len(s.addresses) for s in watch.history if s.at >= asked.at}
    # A request counts if it began while its address was published: between asking for addresses and connecting, this process may be halted.
    promised = [s for s in samples if s.to not in left or s.at < one.at]
    assert len(promised) > 90
    assert not failed(promised), failed(promised)[:5]
    assert 0 not in sizes
    measure("scale, requests without a failure", len(samples), "requests")


def test_status_is_put_right_when_forged(shared: Environment, namespace: str) -> None:
    """An address in a status is there because its host serves: one that somebody else wrote is taken out, a wiped one comes back."""
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2"))
    addresses = w.published(shared, namespace, "web", 2)
    for forged in ('[{"ip":"192.0.2.99"}]', "[]"):
        patch = f'{{"status":{{"loadBalancer":{{"ingress":{forged}}}}}}}'
        shared.kubectl("patch", "ingress", "web", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
        until(f"{forged} is put right", lambda: shared.addresses("web", namespace) == addresses)
