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
