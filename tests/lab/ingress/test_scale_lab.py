"""Scaling an Ingress up and down while clients use it."""

import time

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, curl, until
from tests.lab.traffic import IngressWatch, Traffic, failed


def test_scale_two_three_one_without_a_failed_request(shared: Environment, namespace: str, measure: Measure) -> None:
    """2 → 3 → 1: addresses follow the annotation, and no request fails.

    A host that leaves serves until its address has left the status, then it stops. Clients take their addresses from
    the status, as public DNS would, and may use one that was published a second ago.
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
            assert set(first) < set(three.addresses), "scaling up moves no instance"
            traffic.wait_for(30, to=(set(three.addresses) - set(first)).pop())
            shared.kubectl("annotate", "ingress", "web", "-n", namespace, "scale=1", "--overwrite")
            asked = watch.wait(lambda s: s.scale == "1")
            one = watch.wait(lambda s: len(s.addresses) == 1, since=asked.at)
            measure("scale 3 to 1, addresses", one.at - asked.at, "s")
            assert set(one.addresses) < set(three.addresses), "scaling down moves no instance"
            left = set(three.addresses) - set(one.addresses)
            for address in left:
                until(f"{address} stops", lambda a=address: curl(a, w.host(namespace), timeout=2)[0] == 0)
            measure("scale 3 to 1, last host stopped", time.monotonic() - one.at, "s")
            traffic.wait_for(30)
        samples = traffic.samples()
        sizes = {len(s.addresses) for s in watch.history if s.at >= asked.at}
    # A request counts if it began while its address was published: this process may pause between reading addresses
    # and connecting.
    promised = [s for s in samples if s.to not in left or s.at < one.at]
    assert len(promised) > 90
    assert not failed(promised), failed(promised)[:5]
    assert 0 not in sizes
    measure("scale, requests without a failure", len(samples), "requests")


def test_a_host_with_the_exclude_label_loses_its_ingress_without_a_failed_request(
    shared: Environment, namespace: str, measure: Measure
) -> None:
    """Case 82: the next host serves before the address changes; without the label the Ingress returns."""
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    w.web(shared, namespace, 2)
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web"))
    with IngressWatch(shared, namespace, "web") as watch:
        (first,) = watch.wait(lambda s: len(s.addresses) == 1).addresses
        host = next(h.name for h in shared.lab.hosts() if h.address == first)
        with Traffic(watch.current, w.host(namespace)) as traffic:
            traffic.wait_for(30)
            try:
                shared.kubectl("label", "node", host, f"{label}=")
                labelled = time.monotonic()
                other = watch.wait(lambda s: s.addresses not in ((), (first,)))
                measure("exclude label set, address moved", other.at - labelled, "s")
                traffic.wait_for(30)
            finally:
                shared.kubectl("label", "node", host, f"{label}-")
            watch.wait(lambda s: s.addresses == (first,), since=other.at)
            traffic.wait_for(30)
        samples = traffic.samples()
    assert not failed(samples), failed(samples)[:5]
    assert [s.addresses for s in watch.history if not s.addresses and s.at > labelled] == []


def test_a_forged_status_is_corrected(shared: Environment, namespace: str) -> None:
    """Foreign addresses are removed from a status, and missing ones are written again."""
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2"))
    addresses = w.published(shared, namespace, "web", 2)
    for forged in ('[{"ip":"192.0.2.99"}]', "[]"):
        patch = f'{{"status":{{"loadBalancer":{{"ingress":{forged}}}}}}}'
        shared.kubectl("patch", "ingress", "web", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
        until(f"{forged} is corrected", lambda: shared.addresses("web", namespace) == addresses)
