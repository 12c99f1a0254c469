# A request that the server delivered, as headers.txt and body.json, and the checks of a verifier.
export SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
cat >keep.py <<'PYTHON'
"""Keeps the last request."""

from http.server import BaseHTTPRequestHandler, HTTPServer


class Keeper(BaseHTTPRequestHandler):
    def do_POST(self):
        with open("body.json", "wb") as file:
            file.write(self.rfile.read(int(self.headers["content-length"])))
        names = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        with open("headers.txt", "w") as file:
            file.writelines(f"{name}: {self.headers[name]}\n" for name in names)
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", 9000), Keeper).serve_forever()
PYTHON
python3 keep.py 2>keep.log &
until (: </dev/tcp/127.0.0.1/9000) 2>/dev/null; do sleep 0.1; done
postrider app create name=Acme uid=acme
postrider event-type create name=invoice.paid description="An invoice was paid"
postrider endpoint create acme uid=main url=http://127.0.0.1:9000/ secret="$SECRET"

# Lets the server deliver a request, so that it is a new one.
deliver() {
    rm -rf headers.txt delivered
    postrider send acme invoice.paid '{"id": "in_1"}'
    until grep -qs webhook-signature headers.txt; do sleep 0.1; done
    mkdir delivered
    cp headers.txt body.json delivered/
}
deliver

# Writes headers for the body: id, seconds from now, and the secret if it is another one.
signed() {
    postrider sign --secret "${3:-$SECRET}" --id "$1" --timestamp "$(($(date +%s) + $2))" body.json >headers.txt
}

# Whether the command accepts the request: it prints anything but `false`, and does not fail.
expect() {
    local expected=$1 what=$2 said found=rejected
    shift 2
    if said=$("$@" 2>&1) && [ "$said" != false ]; then found=accepted; fi
    [ "$found" = "$expected" ] || { echo "$what was $found by $*, which printed: $said"; return 1; }
}

# Gives a command requests to accept and to reject, and restores the files that it reads.
check_verifier() {
    mkdir -p shown
    cp headers.txt body.json shown/
    deliver
    expect accepted "a delivered request" "$@"
    printf ' ' >>body.json
    expect rejected "another body" "$@"
    cp delivered/* .
    sed -i 's/^webhook-id: .*/webhook-id: msg_2/' headers.txt
    expect rejected "another id" "$@"
    cp delivered/* .
    sed -i "s/^webhook-timestamp: .*/webhook-timestamp: $(($(date +%s) - 9))/" headers.txt
    expect rejected "another time" "$@"
    signed msg_1 -240
    expect accepted "a request of four minutes ago" "$@"
    signed msg_1 -420
    expect rejected "an old request" "$@"
    signed msg_1 420
    expect rejected "a request of the future" "$@"
    signed msg_1 0 whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD
    expect rejected "another secret" "$@"
    signed msg_1 0
    sed -i 's/^webhook-signature: /&v1,Zm9yZ2Vk v1a,Zm9yZ2Vk /' headers.txt
    expect accepted "several signatures, one of them right" "$@"
    cp delivered/* .
    sed -i 's/^\(webhook-signature: .\{20\}\).*/\1/' headers.txt
    expect rejected "a signature that is cut off" "$@"
    cp shown/* .
}
