"""Options and arguments that several commands of ``ingress`` share."""

from __future__ import annotations

from typing import Annotated

import typer

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Only this namespace; default: all namespaces.")
]
NameArgument = Annotated[str, typer.Argument(metavar="INGRESS", help="NAME or NAMESPACE/NAME.")]
