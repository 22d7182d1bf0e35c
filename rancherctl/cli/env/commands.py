"""``rancherctl env``: the commands of the noun, in the order of its help."""

from __future__ import annotations

from rancherctl.cli.env import (
    apply_commands,
    drain_commands,
    fetch_command,
    label_command,
    rm_command,
    show_commands,
)
from rancherctl.cli.groups import noun

app = noun(
    "Create, change, inspect and remove Kubernetes environments on plain Linux hosts.",
    "rancherctl env create demo --host root@10.0.0.11 --host root@10.0.0.12 --bundle official",
    "rancherctl env status demo",
    "rancherctl env rm demo",
)

app.command("create")(apply_commands.create)
app.command("apply")(apply_commands.apply_)
app.command("plan")(apply_commands.plan_)
app.command("rm")(rm_command.rm)
app.command("ls")(show_commands.ls)
app.command("show")(show_commands.show)
app.command("status")(show_commands.status_)
app.command("label")(label_command.label)
app.command("host-drain")(drain_commands.host_drain)
app.command("host-undrain")(drain_commands.host_undrain)
app.command("fetch")(fetch_command.fetch_)
app.command("use")(show_commands.use)
