"""The explanation of a request (explain.py) for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rancherctl.text import and_more


def text(item: Mapping[str, Any]) -> str:
    """``explain.explain`` for people."""
    sni = item["sni"]
    other = item["scheme"] == "https" and sni.lower() != item["host"].partition(":")[0].lower().rstrip(".")
    asked = f", TLS connection for {sni or 'no name'}" if other else ""
    lines = [f"{item['method']} {item['scheme']}://{item['host']}{item['target']}{asked}"]
    for answer in item["answers"]:
        if answer["hosts"]:
            lines.append("on " + ", ".join(f"{h['host']} {h['address']}" for h in answer["hosts"]) + ":")
        else:
            lines.append(f"no host serves {item['namespace']}/{item['name']} now; a host that served it would answer:")
        lines += [f"  {line}" for line in _lines(answer, f"{item['namespace']}/{item['name']}")]
    return "".join(f"{line}\n" for line in lines)


def _lines(answer: Mapping[str, Any], asked: str) -> list[str]:
    lines = []
    if shown := answer["certificate"]:
        secrets = " or ".join(f"secret {secret}" for secret in shown["secrets"])
        owner = f"for {shown['name']}, of ingress {shown['ingress']}" if shown["name"] else "the default certificate"
        lines.append(f"certificate: {secrets} ({owner})")
    if rule := answer["rule"]:
        other = "" if answer["ingress"] == asked else f", not of {asked}"
        lines.append(
            f"rule:   {rule['host']}{rule['path'] or ' (default)'} ({rule['match']}) "
            f"of ingress {answer['ingress']}{other}"
        )
    lines.append(f"answer: {_outcome(answer)}")
    if answer["note"]:
        lines.append(f"note:   {answer['note']}")
    return lines


def _outcome(answer: Mapping[str, Any]) -> str:
    if answer["answer"] == "forwarded":
        return f"forwarded to {answer['backend']} ({and_more(answer['endpoints']) or answer['reason']})"
    if answer["answer"] == "refused":
        return f"TLS handshake refused, {answer['reason']}"
    if answer["answer"] == "no-listener":
        return f"connection refused, {answer['reason']}"
    return f"status {answer['status']}, {answer['reason']}"
