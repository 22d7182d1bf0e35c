"""The pause program: its ELF file, and what it does on this machine."""

import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import rancherctl.bundle.pause
from rancherctl.bundle.pause.elf import CODE, elf_machine, elf_static, pause_binary

SOURCES = Path(rancherctl.bundle.pause.__file__).parent
TOOLS = {"amd64": ("as", "objcopy"), "arm64": ("aarch64-linux-gnu-as", "aarch64-linux-gnu-objcopy")}
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")


def assembled(arch: str, folder: Path) -> bytes:
    assembler, objcopy = TOOLS[arch]
    if platform.machine() == "aarch64" and arch == "arm64" and not shutil.which(assembler):
        assembler, objcopy = "as", "objcopy"
    if not (shutil.which(assembler) and shutil.which(objcopy)) or (assembler == "as" and arch != HERE):
        pytest.skip(f"no assembler for {arch}")
    subprocess.run([assembler, "-o", folder / "o", SOURCES / f"{arch}.s"], check=True, timeout=60)
    subprocess.run([objcopy, "-O", "binary", "-j", ".text", folder / "o", folder / "bin"], check=True, timeout=60)
    return (folder / "bin").read_bytes()


@pytest.mark.parametrize("arch", sorted(CODE))
def test_the_committed_bytes_equal_the_assembled_source(arch: str, tmp_path: Path) -> None:
    assert CODE[arch] == assembled(arch, tmp_path)


@pytest.mark.parametrize("arch", sorted(CODE))
def test_the_file_names_its_machine(arch: str) -> None:
    data = pause_binary(arch)
    assert elf_machine(data) == arch
    assert len(data) == 64 + 2 * 56 + len(CODE[arch])


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"#!/bin/sh\n" * 4, b"\x7fELF\x01" + bytes(40), b"\x7fELF\x02" + bytes(40)]
)
def test_an_unknown_file_has_no_architecture(data: bytes) -> None:
    assert elf_machine(data) is None


def test_a_program_that_asks_for_a_loader_is_not_static() -> None:
    assert elf_static(pause_binary("amd64"))
    assert not elf_static(Path("/bin/sh").read_bytes())
    assert not elf_static(pause_binary("amd64")[:100])
    assert not elf_static(b"#!/bin/sh\n" * 20)


@pytest.mark.skipif(not HERE, reason="an architecture that bundles do not know")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_pause_program_ignores_other_signals_and_exits_with_0_on_termination(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause_binary(HERE))
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGCHLD)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.send_signal(number)
        assert process.wait(60) == 0
