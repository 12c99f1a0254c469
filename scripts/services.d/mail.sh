# smtp, postfix: see scripts/services.

smtp_find() { pypi python; }

smtp_start() {
    local tls
    tls=$(option tls)
    [ -z "$tls" ] || certificate
    mkdir -p "$folder/mail"
    launch "$(smtp_find)" "$parts/smtp.py" "$folder" "$(port main)" "$tls" "$(option user)" "$(option password)"
    case $tls in implicit) answers port "$(port main)" ;; *) answers smtp "$(port main)" ;; esac
}

smtp_keys() {
    local scheme=smtp
    [ "$(option tls)" != implicit ] || scheme=smtps
    echo "port=$(port main)"
    echo "url=$scheme://127.0.0.1:$(port main)"
    echo "mail=$folder/mail"
    [ -z "$(option user)" ] || printf '%s\n' "user=$(option user)" "password=$(option password)"
}

# Its processes change their users, so it needs root, and a folder that others can enter.
postfix_find() {
    debian postfix
    [ "$(id -u)" -eq 0 ] || die "only root can start postfix"
}

postfix_configuration() {
    cat <<CF
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
maillog_file = $folder/log
maillog_file_prefixes = $folder
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mydestination =
alias_maps =
# It keeps the mail for everybody, and sends none on.
virtual_mailbox_domains = static:all
virtual_mailbox_base = $folder/mail
virtual_mailbox_maps = static:./
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
default_transport = error:not sent on by a test
relay_transport = error:not sent on by a test
CF
    if [ "$(option tls)" = yes ]; then
        certificate
        printf '%s\n' "smtpd_tls_security_level = may" "smtpd_tls_cert_file = $folder/tls/cert.pem" \
            "smtpd_tls_key_file = $folder/tls/key.pem"
    fi
    own_options tls | sed 's/=/ = /'
}

postfix_services() {
    local service
    echo "127.0.0.1:$(port main) inet n - n - - smtpd"
    echo "postlog unix-dgram n - n - 1 postlogd"
    echo "qmgr unix n - n 300 1 qmgr"
    echo "cleanup unix n - n - 0 cleanup"
    echo "virtual unix - n n - - virtual"
    echo "tlsmgr unix - - n 1000? 1 tlsmgr"
    for service in bounce error anvil verify proxymap; do
        echo "$service unix - - n - - $service"
    done
    echo "rewrite unix - - n - - trivial-rewrite"
    for service in defer trace; do echo "$service unix - - n - 0 bounce"; done
    for service in retry smtp; do echo "$service unix - - n - - error"; done
}

postfix_start() {
    local server
    mkdir -p "$folder/conf" "$folder/queue" "$folder/mail"
    chown postfix "$folder/data"
    chown nobody "$folder/mail"
    postfix_configuration >"$folder/conf/main.cf"
    postfix_services >"$folder/conf/master.cf"
    server=$(postconf -c "$folder/conf" -h daemon_directory)/master
    # It refuses to start while this names a process, which may be another by now.
    rm -f "$folder/queue/pid/master.pid"
    postfix -c "$folder/conf" check >>"$folder/log" 2>&1 || die "postfix check: $(tail -n 3 "$folder/log")"
    launch "$server" -c "$folder/conf" -s
    answers smtp "$(port main)"
}

postfix_keys() {
    echo "port=$(port main)"
    echo "url=smtp://127.0.0.1:$(port main)"
    echo "mail=$folder/mail/new"
}
