# mariadb, redis: see scripts/services.

mariadb_find() { debian mariadbd mariadb-server; }

mariadb_start() {
    local arguments=() line init=() user
    user=$(id -un)
    if [ ! -d "$folder/data/mysql" ]; then
        mariadb-install-db --no-defaults --datadir="$folder/data" --user="$user" --skip-test-db \
            --auth-root-authentication-method=normal --skip-log-bin --innodb-log-file-size=8M \
            --innodb-flush-method=nosync >"$folder/install.log" 2>&1 \
            || die "mariadb-install-db failed: $(tail -n 3 "$folder/install.log")"
        cat >"$folder/init.sql" <<SQL
CREATE DATABASE postrider;
CREATE USER postrider IDENTIFIED BY '$(option password secret)';
GRANT ALL ON *.* TO postrider WITH GRANT OPTION;
SQL
        init=("--init-file=$folder/init.sql")
    fi
    if [ "$(option tls)" = yes ]; then
        certificate
        arguments+=("--ssl-cert=$folder/tls/cert.pem" "--ssl-key=$folder/tls/key.pem")
    fi
    while read -r line; do [ -z "$line" ] || arguments+=("--$line"); done < <(own_options tls password)
    # No socket: its path could be too long. What it wrote survives the end of the process without
    # waiting for the disk.
    launch mariadbd --no-defaults --user="$user" --datadir="$folder/data" --tmpdir="$folder/data" \
        --bind-address=127.0.0.1 --port="$(port main)" --socket= --pid-file="$folder/mariadbd.pid" \
        --skip-log-bin --skip-name-resolve --innodb-flush-log-at-trx-commit=2 \
        --innodb-log-file-size=8M --innodb-buffer-pool-size=32M "${init[@]}" "${arguments[@]}"
    answers mysql "$(port main)"
}

mariadb_keys() {
    local password
    password=$(option password secret)
    echo "port=$(port main)"
    echo "url=mysql://postrider:$password@127.0.0.1:$(port main)/postrider"
    printf '%s\n' user=postrider "password=$password" database=postrider
}

redis_find() { debian redis-server; }

redis_start() {
    local arguments=() line
    if [ "$(option tls)" = yes ]; then
        certificate
        arguments+=(--tls-port "$(port tls)" --tls-cert-file "$folder/tls/cert.pem"
            --tls-key-file "$folder/tls/key.pem" --tls-ca-cert-file "$folder/tls/ca.pem"
            --tls-auth-clients no)
    fi
    while read -r line; do [ -z "$line" ] || arguments+=("--${line%%=*}" "${line#*=}"); done < <(own_options tls)
    launch redis-server --bind 127.0.0.1 --port "$(port main)" --dir "$folder/data" --daemonize no \
        --appendonly yes --save "" "${arguments[@]}"
    answers redis "$(port main)"
}

redis_keys() {
    local password
    password=$(option requirepass)
    [ -z "$password" ] || password="default:$password@"
    echo "port=$(port main)"
    echo "url=redis://${password}127.0.0.1:$(port main)"
    [ "$(option tls)" = yes ] || return 0
    echo "tls_port=$(port tls)"
    echo "tls_url=rediss://${password}127.0.0.1:$(port tls)"
}
