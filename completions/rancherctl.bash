# rancherctl completion for bash; made by `rancherctl completion bash`, do not edit
_rancherctl_alias() {
  case "$1" in
    ' environment') echo 'env' ;;
    ' envs') echo 'env' ;;
    ' environments') echo 'env' ;;
    'env remove') echo 'rm' ;;
    'env list') echo 'ls' ;;
    ' bundles') echo 'bundle' ;;
    ' ingresses') echo 'ingress' ;;
    'ingress list') echo 'ls' ;;
    'dns list') echo 'ls' ;;
    ' kubeconfigs') echo 'kubeconfig' ;;
    'kubeconfig remove') echo 'rm' ;;
    ' labs') echo 'lab' ;;
    *) echo "${1##* }" ;;
  esac
}
_rancherctl_words() {
  commands= options=
  case "$1" in
    '') commands='env bundle ingress dns kubeconfig kubectl lab completion version help' options='--color --progress --kubeconfig --no-input --yes --debug --version -h --help' ;;
    'env') commands='create apply plan rm ls show status fetch use' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env create') commands='' options='--host --file -f --kubernetes --identity --ssh-config --jump --bundle --timeout --no-wait --dry-run --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env apply') commands='' options='--file -f --bundle --timeout --no-wait --break-lock --dry-run --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env plan') commands='' options='--file -f --bundle --exit-code --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env rm') commands='' options='--file -f --confirm --break-lock --force --dry-run --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env ls') commands='' options='--output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env show') commands='' options='--output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env status') commands='' options='--wait --timeout --bundle --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env fetch') commands='' options='--identity --ssh-config --jump --replace --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'env use') commands='' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'bundle') commands='create verify versions' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'bundle create') commands='' options='--source --kubernetes --arch --dir --mirror --testweb --busybox --packages --apt-mirror --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'bundle verify') commands='' options='--output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'bundle versions') commands='' options='--output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress') commands='ls show scale status plan' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress ls') commands='' options='--namespace -n --env -e --context --allow-exec --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress show') commands='' options='--namespace -n --env -e --context --allow-exec --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress scale') commands='' options='--namespace -n --wait --timeout --dry-run --env -e --context --allow-exec --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress status') commands='' options='--namespace -n --env -e --context --allow-exec --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'ingress plan') commands='' options='--namespace -n --scale --without --env -e --context --allow-exec --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'dns') commands='lookup ls status' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'dns lookup') commands='' options='--from-host --from-pod --all-hosts --env -e --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'dns ls') commands='' options='--env -e --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'dns status') commands='' options='--env -e --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'kubeconfig') commands='merge show rm' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'kubeconfig merge') commands='' options='--context-name --on-conflict --use --no-use -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'kubeconfig show') commands='' options='--context-name --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'kubeconfig rm') commands='' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'kubectl') commands='' options='--env -e -h --help' ;;
    'lab') commands='up status down ssh host' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab up') commands='' options='--hosts --name --subnets --bare --os --mirror -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab status') commands='' options='--name --output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab down') commands='' options='--name --all -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab ssh') commands='' options='--name -h --help' ;;
    'lab host') commands='stop start cut heal' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab host stop') commands='' options='--name -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab host start') commands='' options='--name -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab host cut') commands='' options='--name -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'lab host heal') commands='' options='--name -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'completion') commands='' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'version') commands='' options='--output -o -h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
    'help') commands='' options='-h --help --color --progress --kubeconfig --no-input --yes --debug' ;;
  esac
}
_rancherctl_follows() {
  case "$1" in
    ' --color') echo 'auto always never' ;;
    ' --progress') echo 'auto plain json none' ;;
    ' --kubeconfig') echo '@file' ;;
    'env --color') echo 'auto always never' ;;
    'env --progress') echo 'auto plain json none' ;;
    'env --kubeconfig') echo '@file' ;;
    'env create --host') echo '@none' ;;
    'env create --file') echo '@file' ;;
    'env create -f') echo '@file' ;;
    'env create --kubernetes') echo '@none' ;;
    'env create --identity') echo '@file' ;;
    'env create --ssh-config') echo '@file' ;;
    'env create --jump') echo '@none' ;;
    'env create --bundle') echo '@file' ;;
    'env create --timeout') echo '@none' ;;
    'env create --output') echo 'table wide json yaml name' ;;
    'env create -o') echo 'table wide json yaml name' ;;
    'env create --color') echo 'auto always never' ;;
    'env create --progress') echo 'auto plain json none' ;;
    'env create --kubeconfig') echo '@file' ;;
    'env apply --file') echo '@file' ;;
    'env apply -f') echo '@file' ;;
    'env apply --bundle') echo '@file' ;;
    'env apply --timeout') echo '@none' ;;
    'env apply --output') echo 'table wide json yaml name' ;;
    'env apply -o') echo 'table wide json yaml name' ;;
    'env apply --color') echo 'auto always never' ;;
    'env apply --progress') echo 'auto plain json none' ;;
    'env apply --kubeconfig') echo '@file' ;;
    'env plan --file') echo '@file' ;;
    'env plan -f') echo '@file' ;;
    'env plan --bundle') echo '@file' ;;
    'env plan --output') echo 'table wide json yaml name' ;;
    'env plan -o') echo 'table wide json yaml name' ;;
    'env plan --color') echo 'auto always never' ;;
    'env plan --progress') echo 'auto plain json none' ;;
    'env plan --kubeconfig') echo '@file' ;;
    'env rm --file') echo '@file' ;;
    'env rm -f') echo '@file' ;;
    'env rm --confirm') echo '@none' ;;
    'env rm --output') echo 'table wide json yaml name' ;;
    'env rm -o') echo 'table wide json yaml name' ;;
    'env rm --color') echo 'auto always never' ;;
    'env rm --progress') echo 'auto plain json none' ;;
    'env rm --kubeconfig') echo '@file' ;;
    'env ls --output') echo 'table wide json yaml name' ;;
    'env ls -o') echo 'table wide json yaml name' ;;
    'env ls --color') echo 'auto always never' ;;
    'env ls --progress') echo 'auto plain json none' ;;
    'env ls --kubeconfig') echo '@file' ;;
    'env show --output') echo 'table wide json yaml name' ;;
    'env show -o') echo 'table wide json yaml name' ;;
    'env show --color') echo 'auto always never' ;;
    'env show --progress') echo 'auto plain json none' ;;
    'env show --kubeconfig') echo '@file' ;;
    'env status --timeout') echo '@none' ;;
    'env status --bundle') echo '@file' ;;
    'env status --output') echo 'table wide json yaml name' ;;
    'env status -o') echo 'table wide json yaml name' ;;
    'env status --color') echo 'auto always never' ;;
    'env status --progress') echo 'auto plain json none' ;;
    'env status --kubeconfig') echo '@file' ;;
    'env fetch --identity') echo '@file' ;;
    'env fetch --ssh-config') echo '@file' ;;
    'env fetch --jump') echo '@none' ;;
    'env fetch --output') echo 'table wide json yaml name' ;;
    'env fetch -o') echo 'table wide json yaml name' ;;
    'env fetch --color') echo 'auto always never' ;;
    'env fetch --progress') echo 'auto plain json none' ;;
    'env fetch --kubeconfig') echo '@file' ;;
    'env use --color') echo 'auto always never' ;;
    'env use --progress') echo 'auto plain json none' ;;
    'env use --kubeconfig') echo '@file' ;;
    'bundle --color') echo 'auto always never' ;;
    'bundle --progress') echo 'auto plain json none' ;;
    'bundle --kubeconfig') echo '@file' ;;
    'bundle create --source') echo 'official modules' ;;
    'bundle create --kubernetes') echo '@none' ;;
    'bundle create --arch') echo 'amd64 arm64' ;;
    'bundle create --dir') echo '@file' ;;
    'bundle create --mirror') echo '@none' ;;
    'bundle create --busybox') echo '@file' ;;
    'bundle create --packages') echo 'debian12 debian13 ubuntu24.04' ;;
    'bundle create --apt-mirror') echo '@none' ;;
    'bundle create --output') echo 'table wide json yaml name' ;;
    'bundle create -o') echo 'table wide json yaml name' ;;
    'bundle create --color') echo 'auto always never' ;;
    'bundle create --progress') echo 'auto plain json none' ;;
    'bundle create --kubeconfig') echo '@file' ;;
    'bundle verify --output') echo 'table wide json yaml name' ;;
    'bundle verify -o') echo 'table wide json yaml name' ;;
    'bundle verify --color') echo 'auto always never' ;;
    'bundle verify --progress') echo 'auto plain json none' ;;
    'bundle verify --kubeconfig') echo '@file' ;;
    'bundle versions --output') echo 'table wide json yaml name' ;;
    'bundle versions -o') echo 'table wide json yaml name' ;;
    'bundle versions --color') echo 'auto always never' ;;
    'bundle versions --progress') echo 'auto plain json none' ;;
    'bundle versions --kubeconfig') echo '@file' ;;
    'ingress --color') echo 'auto always never' ;;
    'ingress --progress') echo 'auto plain json none' ;;
    'ingress --kubeconfig') echo '@file' ;;
    'ingress ls --namespace') echo '@none' ;;
    'ingress ls -n') echo '@none' ;;
    'ingress ls --env') echo '@environments' ;;
    'ingress ls -e') echo '@environments' ;;
    'ingress ls --context') echo '@contexts' ;;
    'ingress ls --output') echo 'table wide json yaml name' ;;
    'ingress ls -o') echo 'table wide json yaml name' ;;
    'ingress ls --color') echo 'auto always never' ;;
    'ingress ls --progress') echo 'auto plain json none' ;;
    'ingress ls --kubeconfig') echo '@file' ;;
    'ingress show --namespace') echo '@none' ;;
    'ingress show -n') echo '@none' ;;
    'ingress show --env') echo '@environments' ;;
    'ingress show -e') echo '@environments' ;;
    'ingress show --context') echo '@contexts' ;;
    'ingress show --output') echo 'table wide json yaml name' ;;
    'ingress show -o') echo 'table wide json yaml name' ;;
    'ingress show --color') echo 'auto always never' ;;
    'ingress show --progress') echo 'auto plain json none' ;;
    'ingress show --kubeconfig') echo '@file' ;;
    'ingress scale --namespace') echo '@none' ;;
    'ingress scale -n') echo '@none' ;;
    'ingress scale --timeout') echo '@none' ;;
    'ingress scale --env') echo '@environments' ;;
    'ingress scale -e') echo '@environments' ;;
    'ingress scale --context') echo '@contexts' ;;
    'ingress scale --output') echo 'table wide json yaml name' ;;
    'ingress scale -o') echo 'table wide json yaml name' ;;
    'ingress scale --color') echo 'auto always never' ;;
    'ingress scale --progress') echo 'auto plain json none' ;;
    'ingress scale --kubeconfig') echo '@file' ;;
    'ingress status --namespace') echo '@none' ;;
    'ingress status -n') echo '@none' ;;
    'ingress status --env') echo '@environments' ;;
    'ingress status -e') echo '@environments' ;;
    'ingress status --context') echo '@contexts' ;;
    'ingress status --output') echo 'table wide json yaml name' ;;
    'ingress status -o') echo 'table wide json yaml name' ;;
    'ingress status --color') echo 'auto always never' ;;
    'ingress status --progress') echo 'auto plain json none' ;;
    'ingress status --kubeconfig') echo '@file' ;;
    'ingress plan --namespace') echo '@none' ;;
    'ingress plan -n') echo '@none' ;;
    'ingress plan --scale') echo '@none' ;;
    'ingress plan --without') echo '@hosts' ;;
    'ingress plan --env') echo '@environments' ;;
    'ingress plan -e') echo '@environments' ;;
    'ingress plan --context') echo '@contexts' ;;
    'ingress plan --output') echo 'table wide json yaml name' ;;
    'ingress plan -o') echo 'table wide json yaml name' ;;
    'ingress plan --color') echo 'auto always never' ;;
    'ingress plan --progress') echo 'auto plain json none' ;;
    'ingress plan --kubeconfig') echo '@file' ;;
    'dns --color') echo 'auto always never' ;;
    'dns --progress') echo 'auto plain json none' ;;
    'dns --kubeconfig') echo '@file' ;;
    'dns lookup --from-host') echo '@hosts' ;;
    'dns lookup --from-pod') echo '@none' ;;
    'dns lookup --env') echo '@environments' ;;
    'dns lookup -e') echo '@environments' ;;
    'dns lookup --output') echo 'table wide json yaml name' ;;
    'dns lookup -o') echo 'table wide json yaml name' ;;
    'dns lookup --color') echo 'auto always never' ;;
    'dns lookup --progress') echo 'auto plain json none' ;;
    'dns lookup --kubeconfig') echo '@file' ;;
    'dns ls --env') echo '@environments' ;;
    'dns ls -e') echo '@environments' ;;
    'dns ls --output') echo 'table wide json yaml name' ;;
    'dns ls -o') echo 'table wide json yaml name' ;;
    'dns ls --color') echo 'auto always never' ;;
    'dns ls --progress') echo 'auto plain json none' ;;
    'dns ls --kubeconfig') echo '@file' ;;
    'dns status --env') echo '@environments' ;;
    'dns status -e') echo '@environments' ;;
    'dns status --output') echo 'table wide json yaml name' ;;
    'dns status -o') echo 'table wide json yaml name' ;;
    'dns status --color') echo 'auto always never' ;;
    'dns status --progress') echo 'auto plain json none' ;;
    'dns status --kubeconfig') echo '@file' ;;
    'kubeconfig --color') echo 'auto always never' ;;
    'kubeconfig --progress') echo 'auto plain json none' ;;
    'kubeconfig --kubeconfig') echo '@file' ;;
    'kubeconfig merge --context-name') echo '@none' ;;
    'kubeconfig merge --on-conflict') echo 'fail replace rename' ;;
    'kubeconfig merge --color') echo 'auto always never' ;;
    'kubeconfig merge --progress') echo 'auto plain json none' ;;
    'kubeconfig merge --kubeconfig') echo '@file' ;;
    'kubeconfig show --context-name') echo '@none' ;;
    'kubeconfig show --output') echo 'table wide json yaml name' ;;
    'kubeconfig show -o') echo 'table wide json yaml name' ;;
    'kubeconfig show --color') echo 'auto always never' ;;
    'kubeconfig show --progress') echo 'auto plain json none' ;;
    'kubeconfig show --kubeconfig') echo '@file' ;;
    'kubeconfig rm --color') echo 'auto always never' ;;
    'kubeconfig rm --progress') echo 'auto plain json none' ;;
    'kubeconfig rm --kubeconfig') echo '@file' ;;
    'kubectl --env') echo '@environments' ;;
    'kubectl -e') echo '@environments' ;;
    'lab --color') echo 'auto always never' ;;
    'lab --progress') echo 'auto plain json none' ;;
    'lab --kubeconfig') echo '@file' ;;
    'lab up --hosts') echo '@none' ;;
    'lab up --name') echo '@labs' ;;
    'lab up --subnets') echo '@none' ;;
    'lab up --os') echo 'debian12 debian13' ;;
    'lab up --mirror') echo '@none' ;;
    'lab up --color') echo 'auto always never' ;;
    'lab up --progress') echo 'auto plain json none' ;;
    'lab up --kubeconfig') echo '@file' ;;
    'lab status --name') echo '@labs' ;;
    'lab status --output') echo 'table wide json yaml name' ;;
    'lab status -o') echo 'table wide json yaml name' ;;
    'lab status --color') echo 'auto always never' ;;
    'lab status --progress') echo 'auto plain json none' ;;
    'lab status --kubeconfig') echo '@file' ;;
    'lab down --name') echo '@labs' ;;
    'lab down --color') echo 'auto always never' ;;
    'lab down --progress') echo 'auto plain json none' ;;
    'lab down --kubeconfig') echo '@file' ;;
    'lab ssh --name') echo '@labs' ;;
    'lab host --color') echo 'auto always never' ;;
    'lab host --progress') echo 'auto plain json none' ;;
    'lab host --kubeconfig') echo '@file' ;;
    'lab host stop --name') echo '@labs' ;;
    'lab host stop --color') echo 'auto always never' ;;
    'lab host stop --progress') echo 'auto plain json none' ;;
    'lab host stop --kubeconfig') echo '@file' ;;
    'lab host start --name') echo '@labs' ;;
    'lab host start --color') echo 'auto always never' ;;
    'lab host start --progress') echo 'auto plain json none' ;;
    'lab host start --kubeconfig') echo '@file' ;;
    'lab host cut --name') echo '@labs' ;;
    'lab host cut --color') echo 'auto always never' ;;
    'lab host cut --progress') echo 'auto plain json none' ;;
    'lab host cut --kubeconfig') echo '@file' ;;
    'lab host heal --name') echo '@labs' ;;
    'lab host heal --color') echo 'auto always never' ;;
    'lab host heal --progress') echo 'auto plain json none' ;;
    'lab host heal --kubeconfig') echo '@file' ;;
    'completion --color') echo 'auto always never' ;;
    'completion --progress') echo 'auto plain json none' ;;
    'completion --kubeconfig') echo '@file' ;;
    'version --output') echo 'table wide json yaml name' ;;
    'version -o') echo 'table wide json yaml name' ;;
    'version --color') echo 'auto always never' ;;
    'version --progress') echo 'auto plain json none' ;;
    'version --kubeconfig') echo '@file' ;;
    'help --color') echo 'auto always never' ;;
    'help --progress') echo 'auto plain json none' ;;
    'help --kubeconfig') echo '@file' ;;
  esac
}
_rancherctl_argument() {
  case "$1" in
    'env apply 0') echo '@environments' ;;
    'env plan 0') echo '@environments' ;;
    'env rm 0') echo '@environments' ;;
    'env show 0') echo '@environments' ;;
    'env status 0') echo '@environments' ;;
    'env use 0') echo '@environments' ;;
    'bundle verify 0') echo '@file' ;;
    'ingress show 0') echo '@ingresses' ;;
    'ingress scale 0') echo '@ingresses' ;;
    'ingress status 0') echo '@ingresses' ;;
    'ingress plan 0') echo '@ingresses' ;;
    'dns lookup 1') echo 'A AAAA CNAME NS PTR SOA SRV TXT' ;;
    'kubeconfig merge 0') echo '@environments' ;;
    'kubeconfig show 0') echo '@environments' ;;
    'kubeconfig rm 0') echo '@environments' ;;
    'lab ssh 0') echo '@hosts' ;;
    'lab host stop 0') echo '@hosts' ;;
    'lab host start 0') echo '@hosts' ;;
    'lab host cut 0') echo '@hosts' ;;
    'lab host heal 0') echo '@hosts' ;;
    'completion 0') echo 'bash zsh fish' ;;
    'help 0') echo 'environment exit-codes files' ;;
  esac
}
# Walks the words before the cursor: sets at (the command so far), count (its arguments) and wanted (what an option waits for).
_rancherctl_walk() {
  local word real
  at= count=0 wanted=
  for word in "$@"; do
    if [ -n "$wanted" ]; then wanted=; continue; fi
    case "$word" in
      --*=*) continue ;;
      -*) wanted=$(_rancherctl_follows "$at $word"); continue ;;
    esac
    _rancherctl_words "$at"
    real=$(_rancherctl_alias "$at $word")
    case " $commands " in
      *" $real "*) at="${at:+$at }$real" ;;
      *) count=$((count + 1)) ;;
    esac
  done
}
_rancherctl_offer() {
  local word
  case "$1" in
    @file) compopt -o default 2>/dev/null ;;
    @none | '') ;;
    @*)
      local file="${XDG_CACHE_HOME:-$HOME/.cache}/rancherctl/names/${1#@}"
      [ -r "$file" ] || return 0
      while IFS= read -r word; do
        case "$word" in "$2"*) COMPREPLY[${#COMPREPLY[@]}]=$word ;; esac
      done <"$file" ;;
    *) for word in $1; do
        case "$word" in "$2"*) COMPREPLY[${#COMPREPLY[@]}]=$word ;; esac
      done ;;
  esac
}
_rancherctl() {
  local at count wanted commands options given cur=${COMP_WORDS[COMP_CWORD]} last=$COMP_CWORD
  COMPREPLY=()
  # bash splits --option=value at the equals sign
  if [ "$cur" = "=" ]; then cur=; else [ "${COMP_WORDS[COMP_CWORD - 1]}" = "=" ] && last=$((COMP_CWORD - 1)); fi
  given=("${COMP_WORDS[@]:1:last-1}")
  _rancherctl_walk ${given[@]+"${given[@]}"}
  if [ -n "$wanted" ]; then _rancherctl_offer "$wanted" "$cur"; return 0; fi
  _rancherctl_words "$at"
  case "$cur" in
    -*) _rancherctl_offer "$options" "$cur" ;;
    *) _rancherctl_offer "$commands" "$cur"
      [ -n "$commands" ] || _rancherctl_offer "$(_rancherctl_argument "$at $count")" "$cur" ;;
  esac
}
complete -F _rancherctl rancherctl
