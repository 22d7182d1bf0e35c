"""A host's own tools (systemctl, apt-get, …) over one JSON file: ``host_tools.py STATE ROOT TOOL ARGUMENTS…``.

State: ``units`` (name → active, enabled, masked), ``failing`` (units that do not start), ``journal`` (entries, oldest
first), ``logs`` (lines of such a unit before it ends; systemd then restarts it, and the new process logs, too),
``disturbed`` (units that another process restarts at that moment), ``installed``, ``available`` (package → its
dependencies), ``lists`` (whether package lists were fetched), ``users``, ``log`` (calls that change something).
"""

import fnmatch
import json
import sys
from pathlib import Path

state_file, root, tool, *words = sys.argv[1:]
state = json.loads(Path(state_file).read_text())
units, installed = state["units"], state["installed"]
options = [word for word in words if word.startswith("-")]
names = [word for word in words if not word.startswith("-")]


def unit(name):
    return units.setdefault(name, {"active": False, "enabled": False, "masked": False})


def exists(name):
    return (Path(root) / "etc/systemd/system" / name).exists() or name in state["distribution_units"]


def save(status=0):
    Path(state_file).write_text(json.dumps(state))
    sys.exit(status)


def fail(text, status=1):
    print(text, file=sys.stderr)
    save(status)


def systemctl():
    verb, *given = names
    if verb not in ("show", "list-units"):
        state["log"].append(f"systemctl {verb} {' '.join(given)}".strip())
    if verb == "show":
        for name in given:
            one = unit(name)
            known = exists(name) or one["masked"]
            file_state = "masked" if one["masked"] else "enabled" if one["enabled"] else "disabled"
            print(f"Id={name}\nLoadState={'masked' if one['masked'] else 'loaded' if known else 'not-found'}")
            now = "deactivating" if one.get("going") else "active" if one["active"] else "inactive"
            print(f"ActiveState={now}\nUnitFileState={file_state if known else ''}\n")
    elif verb == "list-units":
        for name, one in units.items():
            if any(fnmatch.fnmatch(name, pattern) for pattern in given) and (
                one["active"] or ("--all" in options and exists(name))
            ):
                print(f"{name} loaded {'active' if one['active'] else 'inactive'}")
    elif verb in ("start", "restart", "reload", "stop"):
        status = 0
        for name in given:
            wrong = verb != "stop" and (name in state["failing"] or not exists(name))
            if wrong:
                dies(name)
            unit(name)["active"] = verb != "stop" and not wrong
            # another process restarts it just after its start: it is seen stopping until the next start waits for it
            unit(name)["going"] = verb != "stop" and name in state["disturbed"]
            state["disturbed"] = [other for other in state["disturbed"] if other != name]
            status = 1 if wrong else status
        save(status)
    elif verb in ("enable", "disable", "mask", "unmask"):
        for name in given:
            field = "masked" if verb.endswith("mask") else "enabled"
            unit(name)[field] = verb in ("enable", "mask")
    save()


def dies(name):
    """Its lines in the journal, how systemd says that it ended, and the first line of the next try."""
    dead, later = f"dead-{len(state['journal'])}", f"later-{len(state['journal'])}"
    own = {"_SYSTEMD_UNIT": name, "PRIORITY": "6", "_PID": "7", "_STREAM_ID": dead}
    state["journal"] += [
        {**own, "_SYSTEMD_INVOCATION_ID": dead, "MESSAGE": text}
        for text in state["logs"].get(name, ["it has no reason"])
    ]
    systemd_entry = {
        "_PID": "1",
        "UNIT": name,
        "INVOCATION_ID": dead,
        "MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15",
        "PRIORITY": "5",
    }
    state["journal"].append({**systemd_entry, "MESSAGE": f"{name}: Main process exited, code=exited, status=1/FAILURE"})
    state["journal"].append(
        {
            **own,
            "_STREAM_ID": later,
            "_SYSTEMD_INVOCATION_ID": later,
            "MESSAGE": "E1128 14:00:00.000000 1 x.go:1] of the next process",
        }
    )


def journalctl():
    """Matches of one field are alternatives, those of several fields must all hold; ``+`` separates such groups."""
    if "--sync" in words:
        save()
    assert words[words.index("-o") + 1] == "json"
    assert "-r" in words
    groups: list[dict[str, list[str]]] = [{}]
    for word in words:
        field, equals, value = word.partition("=")
        if word == "+":
            groups.append({})
        elif equals and not word.startswith("-"):
            groups[-1].setdefault(field, []).append(value)
    fits = lambda entry: any(all(entry.get(field) in values for field, values in group.items()) for group in groups)
    for entry in list(filter(fits, state["journal"][::-1]))[: int(words[words.index("-n") + 1])]:
        print(json.dumps(entry))
    save()


def offline_install(given, sources):
    """What apt does with --with-source: it knows these packages and nothing else. A source is a .deb or an index."""
    there = set()
    for place in map(Path, sources):
        texts = (
            [line.split()[1] for line in place.read_text().splitlines() if line.startswith("Package: ")]
            if place.suffix != ".deb"
            else []
        )
        there |= set(texts) if texts else {place.name.split("_")[0]}
    todo, come = list(given), []
    while todo:
        name = todo.pop()
        if name in installed or name in come:
            continue
        if name not in there:
            print("Reading package lists...\nThe following packages have unmet dependencies:")
            print(f" {given[0]} : Depends: {name} but it is not installable")
            fail("E: Unable to correct problems, you have held broken packages.", 100)
        come.append(name)
        todo += state["available"].get(name, [])
    if "-s" in options:
        print("\n".join(f"Inst {name} (1.0 volatile-packages-file [amd64])" for name in come))
        save()
    installed.extend(come)
    save()


def apt_get():
    drop = {"-o", "--with-source"}
    plain = [w for i, w in enumerate(words) if not w.startswith("-") and (i == 0 or words[i - 1] not in drop)]
    verb, *given = plain
    if "-s" not in options:
        state["log"].append(f"apt-get {verb} {' '.join(given)}".strip())
    if verb == "update":
        state["lists"] = True
        save()
    sources = [words[i + 1] for i, w in enumerate(words) if w == "--with-source"]
    if verb == "install" and sources:
        offline_install(given, sources)
    if verb == "install":
        missing = [name for name in given if not state["lists"] or name not in state["available"]]
        if missing:
            fail(f"E: Unable to locate package {missing[0]}", 100)
        todo = list(given)
        while todo:
            name = todo.pop()
            if name not in installed:
                installed.append(name)
                todo += state["available"].get(name, [])
        save()
    if verb == "purge":
        gone = set(given)
        while more := {n for n in installed if n not in gone and gone & set(state["available"].get(n, []))}:
            gone |= more
        for name in sorted(gone):
            print(f"Purg {name} [1]" if name in given else f"Remv {name} [1]")
        if "-s" not in options:
            installed[:] = [name for name in installed if name not in gone]
        save()
    fail(f"unexpected: apt-get {' '.join(words)}", 99)


def dpkg_query():
    form = words[words.index("-f") + 1]
    given = [name for name in names if name != form]
    for name in given or installed:
        if name in installed:
            print(f"{name}\tinstalled" + ("\t1.0" if "Version" in form else ""))
    save(0 if all(name in installed for name in given) else 1)


def apt_cache():
    seen, todo = [], list(names[1:])
    while todo:
        name = todo.pop()
        if name not in seen and name in installed:
            seen.append(name)
            print(name)
            todo += state["available"].get(name, [])
    save()


def getent():
    for name in names[1:]:
        if name in state["users"]:
            print(f"{name}:x:990:990::/nonexistent:/usr/sbin/nologin")
    save()


def users():
    state["log"].append(f"{tool} {names[-1]}")
    state["users"] = [name for name in state["users"] if name != names[-1]] + ([names[-1]] if tool == "useradd" else [])
    save()


tools = {"systemctl": systemctl, "apt-get": apt_get, "dpkg-query": dpkg_query, "apt-cache": apt_cache, "getent": getent}
tools |= {"useradd": users, "userdel": users, "dpkg": save, "journalctl": journalctl}
tools[tool]()
