#!/usr/bin/python3 -I
"""operator-token, on a control-plane host: prints new tokens of an operator as JSON, or ends a session.

Run by root, or by a user with passwordless sudo.
operator-token --operator NAME --session NAME [--machine TEXT] [--objects] [--revoke]
With --objects the operator's objects are read from standard input (a JSON list) and applied first.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import re
import subprocess
import sys
from typing import Any

NAMESPACE = "rancherctl-operators"
MANAGER = "rancherctl-operators"
"""Differs from that of ``env apply``: with one manager, each would remove the fields that only the other applies."""
TOKEN_SECONDS, REFRESH_SECONDS = 3600, 30 * 24 * 3600
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def kubectl(*words: str, text: str = "") -> str:
    """Run kubectl with this host's admin credential; its standard output."""
    programs = sorted(
        glob.glob("/opt/rancherctl/kubernetes/*/bin/kubectl"), key=lambda p: [int(n) for n in re.findall(r"\d+", p)]
    )
    if not programs:
        sys.exit("operator-token: kubectl is not installed: this is not a control-plane host")
    base = (programs[-1], "--kubeconfig=/etc/rancherctl/admin.kubeconfig", "--request-timeout=20s")
    done = subprocess.run([*base, *words], input=text.encode(), capture_output=True, timeout=60, check=False)
    if done.returncode:
        sys.exit(
            "operator-token: " + (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["kubectl failed"])[-1]
        )
    return done.stdout.decode()


def token(account: str, seconds: int, secret: str, uid: str) -> Any:
    """A TokenRequest for ``account`` bound to the session's Secret, with the token in its status."""
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": uid}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": bound},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    return json.loads(kubectl("create", "--raw", path, "-f", "-", text=json.dumps(body)))


def session(operator: str, name: str, machine: str) -> str:
    """The UID of the session's Secret, which is created if it does not exist."""
    labels = {"app.kubernetes.io/managed-by": "rancherctl", "rancherctl.io/operator": operator}
    meta = {
        "name": f"session-{operator}-{name}",
        "namespace": NAMESPACE,
        "labels": labels,
        "annotations": {"rancherctl.io/machine": machine},
    }
    body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta}
    stored = json.loads(
        kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--field-manager={MANAGER}",
            "-o",
            "json",
            "-f",
            "-",
            text=json.dumps(body),
        )
    )
    return str(stored["metadata"]["uid"])


def main() -> None:
    """Print the tokens, or delete the session's Secret."""
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "-n", *sys.argv])  # noqa: S606  argv values, no shell on purpose
    parser = argparse.ArgumentParser(
        prog="operator-token", description="issue tokens of an operator; needs root on a control-plane host"
    )
    parser.add_argument("--operator", required=True)
    parser.add_argument("--session", required=True)
    parser.add_argument("--machine", default="")
    parser.add_argument("--objects", action="store_true")
    parser.add_argument("--revoke", action="store_true")
    options = parser.parse_args()
    for name in (options.operator, options.session):
        if not NAME.fullmatch(name):
            sys.exit(f"operator-token: {name!r} is not a valid name")
    secret = f"session-{options.operator}-{options.session}"
    if options.revoke:
        kubectl("delete", "secret", secret, "--namespace", NAMESPACE, "--ignore-not-found")
        return
    if options.objects:
        items = {"apiVersion": "v1", "kind": "List", "items": json.load(sys.stdin)}
        kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--field-manager={MANAGER}",
            "-f",
            "-",
            text=json.dumps(items),
        )
    uid = session(options.operator, options.session, options.machine)
    answer = {
        "session_uid": uid,
        "token": token(options.operator, TOKEN_SECONDS, secret, uid),
        "refresh": token(f"refresh-{options.operator}", REFRESH_SECONDS, secret, uid),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
