# s3, aws: see scripts/services.

s3_find() { pypi weed; }

s3_start() {
    local part ports=()
    cat >"$folder/s3.json" <<JSON
{"identities": [{"name": "test", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "test-key", "secretKey": "test-secret"}]}]}
JSON
    for part in master volume filer s3; do
        ports+=("-$part.port=$(port $part)" "-$part.port.grpc=$(port $part-grpc)")
    done
    mkdir -p "$folder/sockets"
    # It reads a configuration in the folder where it runs.
    cd "$folder/data"
    TMPDIR=$folder/sockets launch "$(s3_find)" -logtostderr=true server -dir="$folder/data" -ip=127.0.0.1 \
        -ip.bind=127.0.0.1 "${ports[@]}" -filer -s3 -s3.config="$folder/s3.json" -s3.port.iceberg=0 \
        -s3.port.lance=0 -s3.iam=false -filer.localSocket="$folder/sockets/filer" \
        -s3.localSocket="$folder/sockets/s3" -master.telemetry=false -master.volumeSizeLimitMB=64 \
        -master.electionTimeout=1s -volume.max=50 -volume.preStopSeconds=0
    answers s3 "$(port s3)" test-key test-secret "$(option bucket test)"
}

# It takes a quarter of a minute to end by itself, and loses nothing when it is killed.
s3_signal() { echo KILL; }

# Sockets in the folder for temporary files, whatever it is told.
s3_stopped() {
    local part
    for part in master volume filer s3; do rm -f "/tmp/seaweedfs-$part-grpc-$(port $part-grpc).sock"; done
}

s3_keys() {
    echo "port=$(port s3)"
    echo "url=http://127.0.0.1:$(port s3)"
    printf '%s\n' access_key=test-key secret_key=test-secret region=us-east-1 "bucket=$(option bucket test)"
}

aws_find() { pypi moto_server; }

aws_start() {
    launch "$(aws_find)" -H 127.0.0.1 -p "$(port main)"
    answers http "$(port main)" /moto-api/
}

aws_keys() {
    echo "port=$(port main)"
    echo "url=http://127.0.0.1:$(port main)"
    printf '%s\n' access_key=test-key secret_key=test-secret region=us-east-1
}
