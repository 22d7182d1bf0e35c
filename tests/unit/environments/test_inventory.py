"""The environment's file: what is read, what is refused, and that nothing is lost on the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.environments import file_checks
from rancherctl.environments.document import Problems
from rancherctl.environments.dump import dump, portable
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.model import Api, Dns, Environment, IngressSettings, Network
from rancherctl.environments.pki.leaves import api_names
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.jump_hosts import jumps
from rancherctl.hosts.model import Host, SshAddress

GOOD = """\
apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata: {name: prod, labels: {federation: acme}}
spec:
  kubernetes: {version: 1.36.3}
  network: {podCIDR: 10.42.0.0/16, serviceCIDR: 10.43.0.0/16, mode: routed}
  api: {address: null, port: 6443, extraSANs: [api.example.com]}
  ssh: {user: ops, identity: ~/.ssh/id_ed25519}
  hosts:
  - {address: 10.77.0.11, name: h1, publicAddress: 104.154.1.2, roles: [etcd, controlplane, worker], ssh: {port: 2222}}
  - {address: 10.77.0.12, name: h2, roles: [worker], labels: {zone: a}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        load(text, "env.yaml")
    return list(caught.value.problems)


def test_a_file_is_parsed_and_defaults_are_filled_in() -> None:
    environment = load(GOOD, "env.yaml").environment
    assert [h.name for h in environment.hosts] == ["h1", "h2"]
    assert environment.hosts[0].ssh == SshAddress("10.77.0.11", user="ops", port=2222, identity="~/.ssh/id_ed25519")
    assert environment.api_endpoint() == "104.154.1.2:6443"
    assert environment.dns_addresses() == ("169.254.20.10", "10.43.0.10")
    assert [h.name for h in environment.lb_hosts()] == ["h1", "h2"]


def test_default_class_must_be_true_or_false() -> None:
    text = GOOD.replace("spec:\n", "spec:\n  ingress: {defaultClass: false}\n")
    assert load(text).environment.ingress == IngressSettings(default_class=False)
    assert any(
        "spec.ingress.defaultClass: must be true or false, not 'sometimes'" in line
        for line in problems(text.replace("false", "sometimes"))
    )


def test_the_access_log_has_three_values() -> None:
    text = GOOD.replace("spec:\n", "spec:\n  ingress: {accessLog: all}\n")
    assert load(text).environment.ingress == IngressSettings(access_log="all")
    assert any(
        "spec.ingress.accessLog: must be errors, all or none, not 'true'" in line
        for line in problems(text.replace("all", '"true"'))
    )


def test_keys_on_disk_must_be_true_or_false() -> None:
    text = GOOD.replace("spec:\n", "spec:\n  ingress: {tls: {keysOnDisk: false}}\n")
    assert load(text).environment.ingress == IngressSettings(keys_on_disk=False)
    assert any(
        "spec.ingress.tls.keysOnDisk: must be true or false, not 'no'" in line
        for line in problems(text.replace("false", "no"))
    )


def test_networks_of_proxies_get_their_usual_spelling_and_each_wrong_one_is_named() -> None:
    listed = '["192.0.2.5", "192.0.2.5/32", "2001:DB8::/32"]'
    text = GOOD.replace("spec:\n", f"spec:\n  ingress: {{trustedProxies: {listed}, proxyProtocol: [10.0.0.0/8]}}\n")
    found = load(text).environment.ingress
    assert found == IngressSettings(trusted_proxies=("192.0.2.5/32", "2001:db8::/32"), proxy_protocol=("10.0.0.0/8",))
    bad = "{externalNames: never, trustedProxies: [0.0.0.0/0, 10.0.0.1/8, x;y], proxyProtocol: [127.0.0.1]}"
    wrong = GOOD.replace("spec:\n", f"spec:\n  ingress: {bad}\n")
    assert [line.partition("spec.ingress.")[2] for line in problems(wrong)] == [
        "externalNames: must be allow or deny, not 'never'",
        "trustedProxies[0]: 0.0.0.0/0 is every address: list the networks of your proxies",
        "trustedProxies[1]: '10.0.0.1/8' is not an IP address or a network such as 192.0.2.0/24 without host bits",
        "trustedProxies[2]: 'x;y' is not an IP address or a network such as 192.0.2.0/24 without host bits",
        "proxyProtocol[0]: 127.0.0.1 is the host itself",
    ]


def test_all_problems_are_reported_with_their_place_and_a_suggestion() -> None:
    text = (
        GOOD.replace("roles: [worker]", "rolez: [worker]")
        .replace("1.36.3", "1.36.9")
        .replace("10.77.0.12", "10.77.0.11")
        .replace("port: 2222", "port: no")
    )
    found = problems(text)
    assert all(line.startswith("env.yaml:") for line in found)
    assert any(line.startswith("env.yaml:5:") and "'1.36.9'" in line and "1.36.3" in line for line in found)
    assert any(line.startswith("env.yaml:11:") and "unknown key (did you mean 'roles'?)" in line for line in found)
    assert any("hosts 'h1' and 'h2' have the same address 10.77.0.11" in line for line in found)
    assert any(line.startswith("env.yaml:10:") and "ssh.port" in line for line in found)
    places = [tuple(map(int, line.split(":")[1:3])) for line in found]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("serviceCIDR: 10.43.0.0/16", "serviceCIDR: 10.42.128.0/17", "overlap"),
        ("podCIDR: 10.42.0.0/16", "podCIDR: 10.77.0.0/16", "lies inside spec.network.podCIDR"),
        ("podCIDR: 10.42.0.0/16", "podCIDR: 10.42.0.0/24", "is too small for a /24"),
        ("podCIDR: 10.42.0.0/16", "podCIDR: 10.42.0.1/16", "has host bits set"),
        ("mode: routed", "mode: bridged", "unknown mode 'bridged'"),
        ("[etcd, controlplane, worker]", "[controlplane, worker]", "no host has the role etcd"),
        ("roles: [worker]", "roles: [controlplane]", "more than one is not supported yet"),
        ("name: h2", "name: h1", "host name 'h1' is used twice"),
        ("podCIDR: 10.42.0.0/16", "podCIDR: 10.42.0.0/255.255.0.0", "must be written as 10.42.0.0/16"),
        ("podCIDR: 10.42.0.0/16", "podCIDR: 224.0.0.0/16", "cannot be the range of pods"),
        ("port: 6443", f"port: {'9' * 5000}", "must be an integer from 1 to 65535"),
        ("port: 6443", "port: ６４４３", "must be an integer from 1 to 65535"),  # noqa: RUF001  digits outside ASCII
        ("api: {", "dns: {upstreams: ['9.9.9.9:５３']}\n  api: {", "is not a resolver"),  # noqa: RUF001
        ("api: {", "dns: {upstreams: ['10.43.0.10:53']}\n  api: {", "queries would loop"),
        ("api: {", "dns: {upstreams: ['224.0.0.1']}\n  api: {", "cannot be a resolver"),
        ("api: {", "dns: {maxNegativeTTL: 0}\n  api: {", "must be an integer from 1 to 3600"),
        ("api: {", "dns: {stubDomains: {corp.example: []}}\n  api: {", "at least one server is required"),
        ("api: {", "dns: {stubDomains: {corp.example: 10.0.0.53}}\n  api: {", "must be a list"),
        ("api: {", "dns: {stubDomains: {corp.example: }}\n  api: {", "at least one server is required"),
        ("api: {", "dns: {stubDomains: {corp.example: [ns.corp]}}\n  api: {", "corp.example[0]: 'ns.corp' is not a"),
        ("api: {", "dns: {stubDomains: {corp.example: [169.254.20.10]}}\n  api: {", "queries would loop"),
        ("api: {", "dns: {stubDomains: {'a b': [10.0.0.53]}}\n  api: {", "'a b' is not a domain name"),
        ("api: {", "dns: {stubDomains: {a.example: [10.0.0.5], A.example.: [10.0.0.5]}}\n  api: {", "given twice"),
        (
            "api: {",
            "dns: {stubDomains: {x.cluster.local: [10.0.0.5]}}\n  api: {",
            "hosts answer the names of cluster.local",
        ),
        (
            "api: {",
            "dns: {stubDomains: {43.10.in-addr.arpa: [10.0.0.5]}}\n  api: {",
            "hosts answer the names of 10.43.0.0/16",
        ),
        ("{zone: a}", "{a..b/c: x}", "'a..b' is not a domain name"),
        ("name: h2", f"name: {'h' * 48}", "longer than 47 characters"),
        ("user: ops", "user: ops, jump: 'ops@b:abc'", "'ops@b:abc' is not a jump host"),
        ("user: ops", "user: ops, jump: 'a,-oProxyCommand=x'", "'-oProxyCommand=x' is not a jump host"),
        ("user: ops", "user: ops, client: putty", "'putty' is not an ssh client: write auto, paramiko, openssh"),
        ("user: ops", "user: ops, client: 'OpenSSH'", "env.yaml:8:28: spec.ssh.client: 'OpenSSH' is not an ssh client"),
        ("user: ops", "user: ops, host: '-oProxyCommand=x'", "is not a valid host"),
        ("user: ops", "user: ops, host: 'a b'", "is not a valid host"),
        ("~/.ssh/id_ed25519", '"a\\0b"', "is not a path"),
        ("name: h2", "name: H_2", "lower-case"),
        ("name: h2", 'name: "h2\\n; rm"', "lower-case"),
        ("10.77.0.12", "127.0.0.1", "cannot be the address of a host"),
        ("{zone: a}", "{node-role.kubernetes.io/x: a}", "are set by Kubernetes or rancherctl"),
        ("kind: Environment", "kind: Cluster", "must be Environment"),
        ("metadata: {name: prod, ", "metadata: {", "metadata.name: is required"),
        ("  hosts:\n", "  hosts: 3\n  x:\n", "must be a list"),
        ("  hosts:\n", "  hosts: []\n  x:\n", "env.yaml:9:10: spec.hosts: at least one host is required"),
        ("roles: [worker]", "roles: []", "env.yaml:11:44: spec.hosts[1].roles: at least one is required"),
        ("port: 6443", "port: 7443", "env.yaml:7:30: spec.api.port: 7443 is used on h1 by the API balancer"),
        ("port: 6443", "port: 443", "443 is used on h1 by load balancers"),
        ("port: 6443", "port: 2379", "2379 is used on h1 by etcd"),
        ("104.154.1.2", "10.43.7.7", "publicAddress 10.43.7.7 lies inside spec.network.serviceCIDR"),
        ("10.77.0.12", "'fd00::1'", "'fd00::1' is an IPv6 address; hosts need IPv4"),
        ("name: h2", 'name: "h2', "not valid YAML"),
        ("name: h2", "name: h\x072", "env.yaml:11:34: not valid YAML: it must not contain the character U+0007"),
        ("roles: [worker]", "roles: [etcd]", "2 etcd hosts tolerate no more failures than 1"),
    ],
)
def test_invalid_values_are_reported(old: str, new: str, text: str) -> None:
    assert old in GOOD
    assert any(text in line for line in problems(GOOD.replace(old, new)))


def test_a_host_that_is_not_a_mapping_is_one_problem() -> None:
    assert problems(GOOD.partition("  - {")[0] + "  - h1\n  - h2\n") == [
        "env.yaml:10:5: spec.hosts[0] must be a mapping of keys to values",
        "env.yaml:11:5: spec.hosts[1] must be a mapping of keys to values",
    ]


def test_known_keys_are_listed_once() -> None:
    found = problems(GOOD.replace("  hosts:\n", "  xyzzy: 1\n  hosts:\n"))
    known = "api, dns, federation, hosts, ingress, kubernetes, network, services, ssh"
    assert found == [f"env.yaml:9:3: spec.xyzzy: unknown key (known: {known})"]


def test_a_syntax_error_has_line_and_column() -> None:
    assert problems("a: [1, 2\nb: 3")[0].startswith("env.yaml:2:")
    assert "empty" in problems("")[0]


@pytest.mark.parametrize("text", ["[" * 20_000, "a: " + "{a: " * 5_000, "- " * 20_000])
def test_very_deep_nesting_is_refused(text: str) -> None:
    assert [line.partition(": ")[2] for line in problems(text)] == [
        "not valid YAML: brackets or indentation are nested too deeply"
    ]


def test_addresses_of_the_api_get_their_usual_spelling() -> None:
    """Certificates contain that spelling: with another one they would be reissued at every apply."""
    api = load(
        GOOD.replace("address: null", "address: 'FD00:0::1'").replace(
            "[api.example.com]", "['FD00:0:0::2', api.example.com]"
        )
    ).environment
    assert api.api == Api("fd00::1", 6443, ("fd00::2", "api.example.com"))
    assert api.server() == "https://[fd00::1]:6443"
    assert "fd00::9" in api_names(replace(api, api=Api(extra_sans=("FD00:0::9",))))[1]


@pytest.mark.parametrize("jump", ["none", "b", "ops@b:22", "ops@[fd00::1]:2222", "fd00::1", "ssh://ops@b", "a, b"])
def test_jump_hosts_that_ssh_accepts_are_accepted(jump: str) -> None:
    loaded = load(GOOD.replace("user: ops", f"user: ops, host: 'my-alias_1.x', jump: '{jump}'"))
    assert loaded.environment.hosts[1].ssh.jump == jump
    assert jumps(jump, SshAddress("h"))


@pytest.mark.parametrize("text", ["root:x:0:0", "- a\n- b\n"])
def test_a_document_that_is_not_a_mapping_is_one_problem(text: str) -> None:
    assert problems(text) == ["env.yaml:1:1: the document must be a mapping of keys to values"]


@pytest.mark.parametrize(
    "text", ["a: [" + "x," * 500_000 + "]", "a: &a [" + "[]," * 30_000 + "]\nb: [*a" + ", *a" * 40_000 + "]"]
)
def test_too_many_values_are_refused_before_they_are_composed(text: str) -> None:
    assert [line.partition(": ")[2] for line in problems(text)] == ["the document has more than 60000 values"]


def test_nested_aliases_are_read_once() -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9))
    assert any("unknown key" in line for line in problems("l0: &l0 [x]\n" + levels))


def test_flags_make_the_first_host_without_roles_the_control_plane() -> None:
    environment = from_flags("demo", ["root@10.0.0.11", "ops@10.0.0.12:2222", "10.0.0.13=worker"]).environment
    assert [sorted(h.roles) for h in environment.hosts] == [["controlplane", "etcd", "worker"], ["worker"], ["worker"]]
    assert environment.hosts[1].ssh == SshAddress("10.0.0.12", user="ops", port=2222)
    separate = from_flags("demo", ["10.0.0.11=etcd,controlplane", "10.0.0.12"]).environment
    assert [sorted(h.roles) for h in separate.hosts] == [["controlplane", "etcd"], ["worker"]]


def test_every_invalid_flag_is_reported() -> None:
    with pytest.raises(InvalidInputError) as caught:
        from_flags("no_name", ["root@10.0.0.300", "root@10.0.0.11:70000", "10.0.0.12=chief"], version="9.9")
    text = "\n".join(caught.value.problems)
    for value in ("10.0.0.300", "70000", "'chief'", "no_name", "9.9"):
        assert value in text
    assert next(line for line in caught.value.problems if "no_name" in line).startswith("name: ")


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("root@fd00::1", "'fd00::1' is an IPv6 address"),
        ("root@[fd00::1]:22=worker", "'fd00::1' is an IPv6 address"),
        ("10.0.0.1:", "'' is not a port"),
        ("10.0.0.1:２２", "'２２' is not a port"),  # noqa: RUF001  digits outside ASCII
        ("10.0.0.1:0", "'0' is not a port"),
        ("10.0.0.1=etcd=worker", "unknown role 'etcd=worker'"),
        ("host.example.com", "is not an IPv4 address"),
    ],
)
def test_an_invalid_host_flag_has_one_problem(flag: str, text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        from_flags("demo", [flag])
    assert [line for line in caught.value.problems if text in line] == list(caught.value.problems)


def test_a_version_is_stored_without_its_v() -> None:
    """Otherwise markers and records would always differ from the file."""
    assert from_flags("demo", ["10.0.0.1"], version="v1.36.3").environment.kubernetes == "1.36.3"
    assert load(GOOD.replace("version: 1.36.3", "version: ' v1.36.3'")).environment.kubernetes == "1.36.3"


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@given(
    st.builds(
        Environment,
        name=NAMES,
        hosts=st.just(
            (
                Host(
                    "h1",
                    "10.77.0.11",
                    frozenset({"etcd", "controlplane", "worker"}),
                    SshAddress("10.77.0.11", user="root"),
                ),
            )
        ),
        labels=st.dictionaries(NAMES, NAMES, max_size=3),
        network=st.sampled_from([Network(), Network(mode="none"), Network("10.1.0.0/16", "10.2.0.0/20")]),
        dns=st.builds(
            Dns,
            upstreams=st.sampled_from([(), ("9.9.9.9", "2001:db8::53")]),
            federations=st.just({"acme": "acme.example"}),
        ),
        api=st.builds(
            Api, address=st.sampled_from(["", "api.example.com"]), port=st.sampled_from([1, 6443, 8443, 65535])
        ),
        ingress=st.sampled_from(
            [
                IngressSettings(),
                IngressSettings("", {"lb": "yes"}),
                IngressSettings("controlplane"),
                IngressSettings(default_class=False),
                IngressSettings(trusted_proxies=("192.0.2.0/24", "2001:db8::/32"), external_names="deny"),
                IngressSettings(proxy_protocol=("10.0.0.5/32",)),
                IngressSettings(keys_on_disk=False, tls_redirect="off", access_log="none"),
            ]
        ),
    )
)
def test_a_written_environment_is_parsed_to_the_same_value(environment: Environment) -> None:
    assert load(dump(environment)).environment == environment


def test_an_even_number_of_etcd_hosts_is_a_warning() -> None:
    from rancherctl.environments import file_checks
    from rancherctl.environments.document import Problems

    environment = load(GOOD, "env.yaml").environment
    two = replace(
        environment, hosts=tuple(replace(h, roles=frozenset({"etcd", "controlplane"})) for h in environment.hosts)
    )
    assert any("odd number" in line for line in file_checks.check(two, {}, Problems("x")))


def test_a_federation_without_workers_is_not_warned_about_missing_load_balancers() -> None:
    warning = "no host carries load balancers: spec.ingress.hosts selects none"
    federation = from_flags("acme", ["root@10.0.0.11=etcd,controlplane"])
    assert not federation.environment.has_workers
    assert federation.warnings == ()
    worker = replace(federation.environment.hosts[0], roles=frozenset({"etcd", "controlplane", "worker"}))
    unserved = replace(federation.environment, hosts=(worker,), ingress=IngressSettings("", {"lb": "yes"}))
    assert file_checks.check(unserved, {}, Problems("")) == (warning,)


def test_the_ssh_client_of_a_host_takes_precedence_and_survives_a_round_trip() -> None:
    assert [host.ssh.client for host in load(GOOD).environment.hosts] == ["auto", "auto"]
    text = GOOD.replace("user: ops", "user: ops, client: openssh").replace("{port: 2222}", "{port: 2222, client: auto}")
    environment = load(text).environment
    assert [host.ssh.client for host in environment.hosts] == ["auto", "openssh"]
    assert load(dump(environment)).environment == environment
    assert "client" not in dump(load(GOOD).environment)
    assert [host.ssh.client for host in portable(environment).hosts] == ["auto", "openssh"]


RESOLVERS = """dns:
    upstreams: ["10.0.0.53:5353", "[fd00::53]:5353", fd00::54]
    stubDomains:
      _msdcs.corp.example: [10.0.0.53, "10.0.0.54:5353"]
      CORP.example.: ["[fd00::53]"]
      10.in-addr.arpa: [10.0.0.53]
    maxNegativeTTL: 5
  api: {"""


def test_resolvers_and_stub_domains_are_read_and_written_back() -> None:
    found = load(GOOD.replace("api: {", RESOLVERS)).environment
    assert found.dns.upstreams == ("10.0.0.53:5353", "[fd00::53]:5353", "fd00::54")
    assert found.dns.stub_domains == (
        ("10.in-addr.arpa", ("10.0.0.53",)),
        ("_msdcs.corp.example", ("10.0.0.53", "10.0.0.54:5353")),
        ("corp.example", ("[fd00::53]",)),
    )
    assert found.dns.max_negative_ttl == 5
    assert load(dump(found)).environment == found


def test_all_problems_of_resolvers_are_reported_with_their_lines() -> None:
    bad = RESOLVERS.replace("10.0.0.53:5353", "10.0.0.53:0").replace("fd00::54", "ns1").replace("[10.0.0.53]", "[x]")
    found = problems(GOOD.replace("api: {", bad.replace("TTL: 5", "TTL: 4h")))
    lines = [int(line.split(":")[1]) for line in found]
    assert len(found) == 4
    first = lines[0]
    assert lines == [first, first, first + 4, first + 5]
