"""``rancherctl federation``: the commands of the noun, in the order of its help."""

from __future__ import annotations

from rancherctl.cli.federation import create_command, dns_commands, member_commands, show_commands
from rancherctl.cli.groups import noun

app = noun(
    "Create a federation and its members: Services that run in all of them, with public DNS names.",
    "rancherctl federation create acme --host root@10.0.0.31 --zone acme.example --server 10.0.0.53 --dns-key-file key",
    "rancherctl federation join acme --env frankfurt",
    "rancherctl federation services",
)

app.command("create")(create_command.create)
app.command("join")(member_commands.join)
app.command("leave")(member_commands.leave)
app.command("ls")(show_commands.ls)
app.command("status")(show_commands.status_)
app.command("services")(show_commands.services)
app.command("drain")(show_commands.drain)
app.command("undrain")(show_commands.undrain)
app.command("sync")(show_commands.sync)
app.add_typer(dns_commands.app, name="dns")
