//go:build go1.24

package main

import "net/http"

// unencryptedHTTP2 lets the server speak HTTP/2 without TLS besides HTTP/1, as backends of gRPC do.
func unencryptedHTTP2(web *http.Server) {
	web.Protocols = new(http.Protocols)
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetUnencryptedHTTP2(true)
}
