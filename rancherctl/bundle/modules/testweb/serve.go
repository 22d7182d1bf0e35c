package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxDelay = 10 * time.Minute
	maxBody  = 1 << 30
)

// answer is what the server says about a request: what a test needs to see which pod answered and what a proxy changed.
type answer struct {
	Pod     string              `json:"pod"`
	Path    string              `json:"path"`
	Query   string              `json:"query,omitempty"`
	Method  string              `json:"method"`
	Host    string              `json:"host"`
	Headers map[string][]string `json:"headers"`
	Remote  string              `json:"remote"`
	Proto   string              `json:"proto"`
	Size    int64               `json:"size"`
	SHA256  string              `json:"sha256,omitempty"`
}

// server serves until the context ends. After that /healthz fails, idle connections are told to close, running requests may
// finish, and the listener stays open for linger: endpoints are taken away from a pod while it is already ending.
type server struct {
	pod      string
	draining atomic.Bool
}

func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	address := flags.String("listen", ":8080", "address and port")
	linger := flags.Duration("linger", 2*time.Second, "how long new requests are still served after SIGTERM")
	drain := flags.Duration("drain", 20*time.Second, "how long running requests may take after that")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	return newServer(podName()).run(ctx, listener, *linger, *drain)
}

func newServer(pod string) *server { return &server{pod: pod} }

func podName() string {
	if name := os.Getenv("POD_NAME"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

func (s *server) run(ctx context.Context, listener net.Listener, linger, drain time.Duration) error {
	web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute}
	unencryptedHTTP2(web)
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	log.Printf("pod %s listens on %s", s.pod, listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	log.Printf("asked to stop: serving %s more, then up to %s for running requests", linger, drain)
	select {
	case err := <-failed:
		return err
	case <-time.After(linger):
	}
	last, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return web.Shutdown(last)
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.health)
	mux.HandleFunc("/delay", s.delay)
	mux.HandleFunc("/body", body)
	mux.HandleFunc("/status", s.status)
	mux.HandleFunc("/", s.echo)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// delay answers after ?ms= milliseconds, or not at all when the caller has gone.
func (s *server) delay(w http.ResponseWriter, r *http.Request) {
	ms, err := number(r, "ms", int64(maxDelay/time.Millisecond))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(ms) * time.Millisecond):
		s.echo(w, r)
	}
}

// body answers ?size= bytes, the same for the same size.
func body(w http.ResponseWriter, r *http.Request) {
	size, err := number(r, "size", maxBody)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte('a' + i%26)
	}
	for left := size; left > 0; left -= int64(len(block)) {
		if left < int64(len(block)) {
			block = block[:left]
		}
		if _, err := w.Write(block); err != nil {
			log.Printf("%s went away with %d bytes left", r.RemoteAddr, left)
			return
		}
	}
}

// status answers with the HTTP status of ?code=.
func (s *server) status(w http.ResponseWriter, r *http.Request) {
	code, err := number(r, "code", 599)
	if err != nil || code < 200 {
		http.Error(w, "code is 200 to 599", http.StatusBadRequest)
		return
	}
	w.WriteHeader(int(code))
}

// echo says what the request was; a body is read to its end, counted and hashed.
func (s *server) echo(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	size, err := io.Copy(hash, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := answer{
		Pod: s.pod, Path: r.URL.Path, Query: r.URL.RawQuery, Method: r.Method, Host: r.Host,
		Headers: r.Header, Remote: r.RemoteAddr, Proto: r.Proto, Size: size,
	}
	if size > 0 {
		out.SHA256 = hex.EncodeToString(hash.Sum(nil))
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		log.Printf("%s went away: %v", r.RemoteAddr, err)
	}
}

// number reads a query parameter between 0 and limit; absent means 0.
func number(r *http.Request, name string, limit int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || value > limit {
		return 0, fmt.Errorf("%s=%s is not a number from 0 to %d", name, text, limit)
	}
	return value, nil
}
