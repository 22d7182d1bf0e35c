//go:build !go1.24

package main

import "net/http"

// unencryptedHTTP2 is beyond the compilers of older distributions: their server speaks HTTP/1 only.
func unencryptedHTTP2(*http.Server) {}
