package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func isValid(key ed25519.PublicKey, body []byte, header http.Header) bool {
	timestamp := header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || math.Abs(time.Since(time.Unix(seconds, 0)).Seconds()) > 300 {
		return false
	}
	signed := append([]byte(fmt.Sprintf("%s.%s.", header.Get("webhook-id"), timestamp)), body...)
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		value, found := strings.CutPrefix(signature, "v1a,")
		bytes, err := base64.StdEncoding.DecodeString(value)
		if found && err == nil && ed25519.Verify(key, signed, bytes) {
			return true
		}
	}
	return false
}

func main() {
	text := strings.TrimPrefix(os.Getenv("WEBHOOK_PUBLIC_KEY"), "whpk_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		log.Fatal("WEBHOOK_PUBLIC_KEY is not a public key")
	}
	http.HandleFunc("POST /webhooks", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || !isValid(key, body, r.Header) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		log.Printf("%s %s", r.Header.Get("webhook-id"), body)
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe(":3000", nil))
}
