"""Which host gets which files, and where."""

from pathlib import Path

from rancherctl.bundle.layout import HostArtefact, host_artefacts
from rancherctl.bundle.model import Bundle, BundleFile, manifest
from rancherctl.bundle.versions import BINARIES, DEFAULT, versions_for


def bundle() -> Bundle:
    row = versions_for(DEFAULT)
    binaries = [
        BundleFile(component, row.of(component), name, f"{number:064x}", 1000 + number, 0o755, "binary", "amd64")
        for number, (component, name) in enumerate((c, n) for c, names in BINARIES.items() for n in names)
    ]
    images = [
        BundleFile("images", "1.0", name, "f" * 64, 10, 0o644, "image", "amd64", f"rancherctl.io/{name}:1.0")
        for name in ("pause", "testweb")
    ]
    return Bundle(Path("/bundle"), manifest(DEFAULT, "amd64", "official", [*binaries, *images]))


def names(*roles: str) -> set[str]:
    return {Path(a.remote).name for a in host_artefacts(bundle(), frozenset(roles))}


def by_remote(*roles: str) -> dict[str, HostArtefact]:
    return {a.remote: a for a in host_artefacts(bundle(), frozenset(roles))}


EVERYWHERE = {
    "containerd", "containerd-shim-runc-v2", "ctr", "kubelet", "kube-proxy", "host-local", "loopback", "portmap", "ptp",
    "pause-1.0.tar", "testweb-1.0.tar",
}  # fmt: skip
ETCD = {"etcd", "etcdctl", "etcdutl"}
CONTROL_PLANE = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}


def test_every_host_is_a_node_and_roles_add_to_that() -> None:
    assert names("worker") == names() == EVERYWHERE
    assert names("etcd") == EVERYWHERE | ETCD
    assert names("controlplane") == EVERYWHERE | CONTROL_PLANE
    assert names("etcd", "controlplane", "worker") == EVERYWHERE | ETCD | CONTROL_PLANE


def test_paths_contain_the_version() -> None:
    kubelet = by_remote("worker")["/opt/rancherctl/kubernetes/1.36.3/bin/kubelet"]
    assert kubelet.local == Path("/bundle/kubernetes/1.36.3/kubelet")
    assert (kubelet.mode, kubelet.component, kubelet.version, kubelet.copies) == (0o755, "kubernetes", "1.36.3", ())


def test_cni_plugins_are_also_where_add_ons_look() -> None:
    ptp = by_remote("worker")["/opt/rancherctl/cni/1.9.1/bin/ptp"]
    assert ptp.copies == ("/opt/cni/bin/ptp",)


def test_images_carry_the_name_to_import_and_can_be_chosen() -> None:
    assert by_remote()["/opt/rancherctl/images/pause-1.0.tar"].reference == "rancherctl.io/pause:1.0"
    chosen = host_artefacts(bundle(), frozenset(), images=["rancherctl.io/pause:1.0"])
    assert [a.reference for a in chosen if a.reference] == ["rancherctl.io/pause:1.0"]


def test_the_largest_file_is_uploaded_first() -> None:
    sizes = [a.size for a in host_artefacts(bundle(), frozenset({"etcd", "controlplane"}))]
    assert sizes == sorted(sizes, reverse=True)


def test_no_two_files_have_the_same_path() -> None:
    placed = host_artefacts(bundle(), frozenset({"etcd", "controlplane", "worker"}))
    places = [place for a in placed for place in (a.remote, *a.copies)]
    assert len(places) == len(set(places))
