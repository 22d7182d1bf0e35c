// Testweb is the program of the test web image: a small HTTP server that says what it saw, and helpers to look around in a
// pod. One static program; the first argument, or the name it is called by, chooses what it does.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// commands maps a name to what runs under it; each gets its own arguments.
var commands = map[string]func(args []string) error{
	"serve":    serve,
	"sleep":    sleep,
	"get":      get,
	"dial":     dial,
	"resolve":  resolve,
	"cat":      cat,
	"hostname": hostname,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, known := commands[name]; !known {
		name = "serve"
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			name, args = args[0], args[1:]
		}
	}
	run, known := commands[name]
	if !known {
		names := make([]string, 0, len(commands))
		for n := range commands {
			names = append(names, n)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "testweb: unknown command %q, known: %s\n", name, strings.Join(names, " "))
		os.Exit(2)
	}
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "testweb %s: %v\n", name, err)
		os.Exit(1)
	}
}
