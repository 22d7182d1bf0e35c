"""Image archives: the layout that ``ctr images import`` reads."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from rancherctl.bundle.images import Image, pause_image, testweb_image, write_archive
from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.versions import DEFAULT, versions_for

web_image = testweb_image  # a name that pytest does not collect
del testweb_image


def read(file: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    with tarfile.open(file) as tar:
        contents = {info.name: (tar.extractfile(info) or io.BytesIO()).read() for info in tar}
    (entry,) = json.loads(contents["manifest.json"])
    assert hashlib.sha256(contents[entry["Config"]]).hexdigest() == entry["Config"].removesuffix(".json")
    return entry, json.loads(contents[entry["Config"]]), contents[entry["Layers"][0]]


def archive(image: Image, folder: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    write_archive(image, folder / "image")
    return read(folder / "image")


def test_the_parts_name_each_other_by_checksum(tmp_path: Path) -> None:
    entry, config, layer = archive(pause_image(versions_for(DEFAULT), "arm64"), tmp_path)
    assert entry["RepoTags"] == ["rancherctl.io/pause:1.0"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (config["architecture"], config["os"], config["config"]["Entrypoint"]) == ("arm64", "linux", ["/pause"])


def test_the_pause_image_contains_only_the_program(tmp_path: Path) -> None:
    _, config, layer = archive(pause_image(versions_for(DEFAULT), "amd64"), tmp_path)
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        (info,) = tar.getmembers()
        content = tar.extractfile(info)
        assert content is not None
        assert content.read() == pause_binary("amd64")
    assert (info.name, info.mode, info.uid, info.mtime) == ("pause", 0o755, 0, 0)
    assert config["config"]["User"] == "65535:65535"


def test_folders_precede_their_content_and_links_point_into_the_image(tmp_path: Path) -> None:
    program, busybox = tmp_path / "web", tmp_path / "bb"
    program.write_bytes(b"web")
    busybox.write_bytes(b"bb")
    _, _, layer = archive(web_image("amd64", program, busybox), tmp_path)
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = {info.name: info for info in tar}
    assert list(members).index("bin") < list(members).index("bin/sh")
    files = {f"/{name}" for name, info in members.items() if info.isreg()}
    assert files == {"/testweb", "/bin/busybox"}
    assert {info.linkname for info in members.values() if info.issym()} == files


def test_without_busybox_the_server_itself_answers_for_the_helpers(tmp_path: Path) -> None:
    program = tmp_path / "web"
    program.write_bytes(b"web")
    image = web_image("amd64", program, None)
    assert set(image.links.values()) == {"/testweb"}
    assert "/bin/sh" not in image.links


def test_equal_images_are_equal_bytes(tmp_path: Path) -> None:
    image = pause_image(versions_for(DEFAULT), "amd64")
    write_archive(image, tmp_path / "a")
    write_archive(image, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
