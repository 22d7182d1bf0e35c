"""Shell programs that supervise a host: they outlive the command that started it and need only a shell. Pure text."""

from __future__ import annotations

# Control groups below the host's own: cgroup v2 allows processes in leaves only, so the loop has one.
LOOP_GROUP = "loop"
HOST_GROUP = "host"
REBOOTED = 133  # how nspawn with --keep-unit says that the host rebooted itself and wants to be started again

# Starts "$@" in the background without a terminal, output to the file $1, and prints its pid.
START = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'

# Arguments: number of hierarchies, the host's group in each, overlay options, mount point, nspawn's command line.
# The overlay is mounted in the loop's own mount namespace and goes away with it. Before another boot the groups of the
# last one are recreated: version 2 takes no process into a group that passes controllers on.
SUPERVISE = f"""\
n=$1; shift
LAB_GROUPS=
while [ "$n" -gt 0 ]; do LAB_GROUPS="$LAB_GROUPS $1"; shift; n=$((n-1)); done
export LAB_GROUPS
for g in $LAB_GROUPS; do echo $$ > "$g/{LOOP_GROUP}/cgroup.procs" || exit 70; done
mount -t overlay overlay -o "$1" "$2" || exit 71
shift 2
renew() {{
  find "$1" -mindepth 1 -depth -type d -exec rmdir {{}} + || return 1
  if [ -e "$1/cgroup.subtree_control" ]; then rmdir "$1" && mkdir "$1"; fi
}}
while :; do
  sh -c '
    for g in $LAB_GROUPS; do echo $$ > "$g/{HOST_GROUP}/cgroup.procs" || exit 70; done
    unset LAB_GROUPS; exec "$@"' sh "$@"
  status=$?
  [ "$status" -eq {REBOOTED} ] || exit "$status"
  for g in $LAB_GROUPS; do
    tries=100
    until renew "$g/{HOST_GROUP}" 2>/dev/null; do
      tries=$((tries-1)); [ "$tries" -gt 0 ] || {{ echo "control group $g/{HOST_GROUP} stays busy"; exit 72; }}
      sleep 0.05
    done
  done
done
"""
