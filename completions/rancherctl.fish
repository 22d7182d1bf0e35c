# rancherctl completion for fish; made by `rancherctl completion fish`, do not edit
function __rancherctl_real
    switch "$argv"
        case "bundles"
            echo bundle
        case "labs"
            echo lab
        case '*'
            string split ' ' -- "$argv" | tail -n 1
    end
end
function __rancherctl_at --description 'true at this command; with a second word, when that many arguments were given'
    set -l known "bundle" "bundle create" "bundle verify" "bundle versions" "lab" "lab up" "lab status" "lab down" "lab ssh" "lab host" "lab host stop" "lab host start" "lab host cut" "lab host heal" "completion" "version" "help"
    set -l path
    set -l count 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        if string match -q -- '-*' $word
            contains -- $word --arch --busybox --color --dir --hosts --kubeconfig --kubernetes --mirror --name --os --output --progress --source --subnets -o; and set skip 1
            continue
        end
        set -l next (string join ' ' -- $path (__rancherctl_real (string join ' ' -- $path $word)))
        if contains -- $next $known
            set path (string split ' ' -- $next)
        else
            set count (math $count + 1)
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test (count $argv) = 1; or test $count = $argv[2]
end
function __rancherctl_names
    set -l cache $XDG_CACHE_HOME
    test -n "$cache"; or set cache $HOME/.cache
    test -r $cache/rancherctl/names/$argv[1]; and cat $cache/rancherctl/names/$argv[1]
end

complete -c rancherctl -f
complete -c rancherctl -n '__rancherctl_at ""' -a bundle -d 'Make and check bundles: the programs and images that environments install.'
complete -c rancherctl -n '__rancherctl_at ""' -a lab -d 'Throw-away Debian hosts on this Linux machine (needs root).'
complete -c rancherctl -n '__rancherctl_at ""' -a completion -d 'Print the completion script for bash, zsh or fish.'
complete -c rancherctl -n '__rancherctl_at ""' -a version -d 'Show the version of rancherctl and of what it installs.'
complete -c rancherctl -n '__rancherctl_at ""' -a help -d 'Explain a topic: environment, exit-codes, files.'
complete -c rancherctl -n '__rancherctl_at ""' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at ""' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at ""' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at ""' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at ""' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at ""' -l version -d 'Print the version and exit.'
complete -c rancherctl -n '__rancherctl_at ""' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -a create -d 'Make a bundle, or find it made. Its directory is all that an environment needs.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -a verify -d 'Check every file of a bundle: there, whole, with the checksum, mode and architecture of the manifest, and nothing else.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -a versions -d 'List the Kubernetes versions that can be installed, each with what fits it.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "bundle"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l source -x -d 'official (releases), modules (built with Go) or a directory with the programs.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l kubernetes -x -d 'The Kubernetes version. (default: the newest that is recommended)'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l arch -x -d 'amd64 or arm64.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l dir -r -F -d 'Where to put the bundle. (default: the cache)'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l mirror -x -d 'Official releases below this address: URL/kubernetes, /etcd, /containerd, /cni.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l testweb -d 'Add the test web server\'s image that the samples use; takes Go.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l busybox -r -F -d 'A static busybox to put into the test image.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l output -s o -x -a 'table wide json yaml name' -d 'table, wide, json, yaml or name. (default: table)'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "bundle create"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l output -s o -x -a 'table wide json yaml name' -d 'table, wide, json, yaml or name. (default: table)'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "bundle verify"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "bundle verify" 0' -r -F
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l output -s o -x -a 'table wide json yaml name' -d 'table, wide, json, yaml or name. (default: table)'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "bundle versions"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab"' -a up -d 'Create a lab, or complete and start an existing one.'
complete -c rancherctl -n '__rancherctl_at "lab"' -a status -d 'Show hosts, addresses and whether they run.'
complete -c rancherctl -n '__rancherctl_at "lab"' -a down -d 'Remove a lab: hosts, networks and files. Root trees stay in the cache.'
complete -c rancherctl -n '__rancherctl_at "lab"' -a ssh -d 'Log in to a host as root.'
complete -c rancherctl -n '__rancherctl_at "lab"' -a host -d 'Power and network cable of one host.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l hosts -x -d 'How many hosts.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l subnets -x -d '1 or 2; hosts of the second are reached through h1.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l bare -d 'Hosts without haproxy, bind9, runc, conntrack, nftables; apt can install them.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l os -x -a 'debian12 debian13' -d 'Which Debian the hosts run.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l mirror -x -d 'Debian mirror; default: the one of this machine\'s apt.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab up"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l name -x -a '(__rancherctl_names labs)' -d 'One lab; default: all.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l output -s o -x -a 'table wide json yaml name' -d 'table, wide, json, yaml or name. (default: table)'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab status"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l all -d 'All labs of this machine.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab down"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab ssh" 0' -a '(__rancherctl_names hosts)'
complete -c rancherctl -n '__rancherctl_at "lab host"' -a stop -d 'Power a host off hard, as if its plug was pulled.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -a start -d 'Power a host on with the disk it had.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -a cut -d 'Pull a host\'s network cable.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -a heal -d 'Plug a host\'s network cable in again.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab host"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab host stop"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab host stop" 0' -a '(__rancherctl_names hosts)'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab host start"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab host start" 0' -a '(__rancherctl_names hosts)'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab host cut"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab host cut" 0' -a '(__rancherctl_names hosts)'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l name -x -a '(__rancherctl_names labs)' -d 'Name of the lab; several can run side by side.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "lab host heal"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "lab host heal" 0' -a '(__rancherctl_names hosts)'
complete -c rancherctl -n '__rancherctl_at "completion"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "completion"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "completion"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "completion"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "completion"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "completion"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "completion" 0' -a 'bash zsh fish'
complete -c rancherctl -n '__rancherctl_at "version"' -l output -s o -x -a 'table wide json yaml name' -d 'table, wide, json, yaml or name. (default: table)'
complete -c rancherctl -n '__rancherctl_at "version"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "version"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "version"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "version"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "version"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "version"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "help"' -l help -s h -d 'Show this message and exit.'
complete -c rancherctl -n '__rancherctl_at "help"' -l color -x -a 'auto always never' -d 'auto, always or never.'
complete -c rancherctl -n '__rancherctl_at "help"' -l progress -x -a 'auto plain json none' -d 'auto, plain, json or none; on standard error.'
complete -c rancherctl -n '__rancherctl_at "help"' -l kubeconfig -r -F -d 'Use this kubeconfig file.'
complete -c rancherctl -n '__rancherctl_at "help"' -l no-input -d 'Never ask; fail where an answer is missing.'
complete -c rancherctl -n '__rancherctl_at "help"' -l debug -d 'Show debug messages and tracebacks.'
complete -c rancherctl -n '__rancherctl_at "help" 0' -a 'environment exit-codes files'
