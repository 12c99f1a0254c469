# rabbitmq, mosquitto, nats: see scripts/services.

# Debian's wrapper wants to be root or rabbitmq, so it is passed by.
rabbitmq_find() {
    local found
    debian epmd rabbitmq-server >/dev/null
    for found in $(ls -d /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server 2>/dev/null | sort -rV); do
        echo "$found"
        return
    done
    debian rabbitmq-server
}

rabbitmq_configuration() {
    echo "listeners.tcp.1 = 127.0.0.1:$(port main)"
    if [ "$(option tls)" = yes ]; then
        certificate
        echo "listeners.ssl.1 = 127.0.0.1:$(port tls)"
        echo "ssl_options.cacertfile = $folder/tls/ca.pem"
        echo "ssl_options.certfile = $folder/tls/cert.pem"
        echo "ssl_options.keyfile = $folder/tls/key.pem"
    fi
    if [ "$(option management)" = yes ]; then
        echo "management.tcp.ip = 127.0.0.1"
        echo "management.tcp.port = $(port management)"
    fi
    # Small machines have less free than its default asks for.
    echo "disk_free_limit.absolute = 50MB"
    own_options tls management | sed 's/=/ = /'
}

# Erlang's name server, one for each service, so that none is left behind for others.
rabbitmq_names() {
    local epmd
    epmd=$(port epmd)
    if [ -s "$folder/epmd.pid" ] && alive "$(cat "$folder/epmd.pid")"; then return; fi
    setsid epmd -address 127.0.0.1 -port "$epmd" >>"$folder/log" 2>&1 </dev/null &
    echo $! >"$folder/epmd.pid"
}

rabbitmq_start() {
    local plugins=
    rabbitmq_configuration >"$folder/rabbitmq.conf"
    [ "$(option management)" = yes ] && plugins=rabbitmq_management
    echo "[$plugins]." >"$folder/enabled_plugins"
    rabbitmq_names
    export HOME=$folder ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT
    ERL_EPMD_PORT=$(port epmd)
    # With this its script becomes the server, so that signals reach it.
    export RUNNING_UNDER_SYSTEMD=true
    export RABBITMQ_NODENAME=postrider-$(port main)@localhost RABBITMQ_DIST_PORT
    RABBITMQ_DIST_PORT=$(port distribution)
    export RABBITMQ_BASE=$folder RABBITMQ_MNESIA_BASE=$folder/data RABBITMQ_LOG_BASE=$folder/logs
    export RABBITMQ_LOGS=- RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf
    export RABBITMQ_CONF_ENV_FILE=$folder/none RABBITMQ_ADVANCED_CONFIG_FILE=$folder/none
    export RABBITMQ_ENABLED_PLUGINS_FILE=$folder/enabled_plugins RABBITMQ_PID_FILE=$folder/rabbitmq.pid
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
    launch "$(rabbitmq_find)" -noinput
    answers amqp "$(port main)"
    [ "$(option management)" != yes ] || answers port "$(port management)"
}

rabbitmq_stopped() {
    [ -s "$folder/epmd.pid" ] || return 0
    kill -KILL "$(cat "$folder/epmd.pid")" 2>/dev/null || true
    rm -f "$folder/epmd.pid"
}

rabbitmq_keys() {
    echo "port=$(port main)"
    echo "url=amqp://guest:guest@127.0.0.1:$(port main)/%2f"
    printf '%s\n' user=guest password=guest
    [ "$(option management)" != yes ] || echo "management=http://127.0.0.1:$(port management)"
    [ "$(option tls)" = yes ] || return 0
    echo "tls_port=$(port tls)"
    echo "tls_url=amqps://guest:guest@127.0.0.1:$(port tls)/%2f"
}

# user:password@, of the options with these names, or nothing.
credentials() {
    [ -z "$(option user)" ] || echo "$(option user):$(option password)@"
}

mosquitto_find() { debian mosquitto; }

mosquitto_configuration() {
    # As root it would become another user, who cannot write here.
    [ "$(id -u)" -ne 0 ] || echo "user root"
    echo "listener $(port main) 127.0.0.1"
    if [ "$(option tls)" = yes ]; then
        certificate
        echo "listener $(port tls) 127.0.0.1"
        echo "certfile $folder/tls/cert.pem"
        echo "keyfile $folder/tls/key.pem"
    fi
    if [ -n "$(option user)" ]; then
        mosquitto_passwd -b -c "$folder/passwords" "$(option user)" "$(option password)"
        echo "password_file $folder/passwords"
    else
        echo "allow_anonymous true"
    fi
    # Written after each change, so that nothing confirmed is lost with the process.
    printf '%s\n' "persistence true" "persistence_location $folder/data/" \
        "autosave_on_changes true" "autosave_interval 1"
    own_options tls user password | tr = ' '
}

mosquitto_start() {
    mosquitto_configuration >"$folder/mosquitto.conf"
    launch mosquitto -c "$folder/mosquitto.conf"
    answers mqtt "$(port main)"
}

mosquitto_keys() {
    echo "port=$(port main)"
    echo "url=mqtt://$(credentials)127.0.0.1:$(port main)"
    [ "$(option tls)" = yes ] || return 0
    echo "tls_port=$(port tls)"
    echo "tls_url=mqtts://$(credentials)127.0.0.1:$(port tls)"
}

nats_find() { pypi nats-server; }

nats_configuration() {
    echo "listen: 127.0.0.1:$(port main)"
    echo "http: 127.0.0.1:$(port monitor)"
    echo "jetstream { store_dir: \"$folder/data\" }"
    [ -z "$(option user)" ] || echo "authorization { user: \"$(option user)\", password: \"$(option password)\" }"
    [ -z "$(option authorization)" ] || echo "authorization $(option authorization)"
    [ "$(option tls)" = yes ] || return 0
    certificate
    echo "tls { cert_file: \"$folder/tls/cert.pem\", key_file: \"$folder/tls/key.pem\" }"
}

nats_start() {
    nats_configuration >"$folder/nats.conf"
    launch "$(nats_find)" --config "$folder/nats.conf"
    answers http "$(port monitor)" "/healthz?js-enabled-only=true"
}

nats_keys() {
    local scheme=nats
    [ "$(option tls)" != yes ] || scheme=tls
    echo "port=$(port main)"
    echo "url=$scheme://$(credentials)127.0.0.1:$(port main)"
    echo "monitor=http://127.0.0.1:$(port monitor)"
}
