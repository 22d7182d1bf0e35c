package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"
)

// sleep waits for a Go duration (default: for ever) or until it is told to stop.
func sleep(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if len(args) > 0 && args[0] != "infinity" {
		length, err := duration(args[0])
		if err != nil {
			return err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	<-ctx.Done()
	return nil
}

// duration takes 1.5 (seconds, as sleep(1) does) and 1m30s.
func duration(text string) (time.Duration, error) {
	if length, err := time.ParseDuration(text + "s"); err == nil {
		return length, nil
	}
	return time.ParseDuration(text)
}

// get fetches a URL, prints the body and fails when the status is not below 400.
func get(args []string) error {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	host := flags.String("host", "", "Host header")
	limit := flags.Duration("timeout", 10*time.Second, "for the whole request")
	method := flags.String("method", http.MethodGet, "HTTP method")
	send := flags.Int64("send", 0, "bytes of request body")
	discard := flags.Bool("count", false, "print the number of bytes, not the body")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: get [flags] URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, *method, flags.Arg(0), nil)
	if err != nil {
		return err
	}
	if *send > 0 {
		request.Body, request.ContentLength = io.NopCloser(io.LimitReader(zeros{}, *send)), *send
	}
	request.Host = *host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out := io.Writer(os.Stdout)
	if *discard {
		out = io.Discard
	}
	size, err := io.Copy(out, response.Body)
	if err != nil {
		return err
	}
	if *discard {
		fmt.Println(size)
	}
	if response.StatusCode >= 400 {
		return errors.New(response.Status)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0
	}
	return len(p), nil
}

// dial connects (dial [-timeout 3s] [-network udp] HOST:PORT) and prints both addresses.
func dial(args []string) error {
	flags := flag.NewFlagSet("dial", flag.ContinueOnError)
	limit := flags.Duration("timeout", 3*time.Second, "for the connection")
	network := flags.String("network", "tcp", "tcp or udp")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: dial [flags] HOST:PORT")
	}
	connection, err := net.DialTimeout(*network, flags.Arg(0), *limit)
	if err != nil {
		return err
	}
	fmt.Println(connection.LocalAddr(), connection.RemoteAddr())
	return connection.Close()
}

// resolve prints the addresses of names, sorted, one a line, as the pod's own resolver settings give them.
func resolve(args []string) error {
	flags := flag.NewFlagSet("resolve", flag.ContinueOnError)
	limit := flags.Duration("timeout", 5*time.Second, "for each name")
	server := flags.String("server", "", "HOST:PORT of a DNS server instead of the pod's own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	resolver := &net.Resolver{PreferGo: true}
	if *server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, *server)
		}
	}
	for _, name := range flags.Args() {
		ctx, cancel := context.WithTimeout(context.Background(), *limit)
		addresses, err := resolver.LookupHost(ctx, name)
		cancel()
		if err != nil {
			return err
		}
		sort.Strings(addresses)
		for _, address := range addresses {
			fmt.Println(address)
		}
	}
	return nil
}

func cat(args []string) error {
	for _, name := range args {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, file)
		closed := file.Close()
		if err != nil {
			return err
		}
		if closed != nil {
			return closed
		}
	}
	return nil
}

func hostname([]string) error {
	name, err := os.Hostname()
	if err == nil {
		fmt.Println(name)
	}
	return err
}
