# A PostgreSQL server at db.internal, with the user and the database `postrider`.
chmod 711 "$HOME" .
"$REPOSITORY/scripts/postgres" start "$PWD/pg" port=5432 fsync=off synchronous_commit=off >postgres.url
psql postgres://postgres@127.0.0.1:5432/postgres -c "CREATE ROLE postrider LOGIN PASSWORD 'password'" \
    -c "CREATE DATABASE postrider OWNER postrider"
# The processes of this page have mounts of their own.
{ cat /etc/hosts; echo 127.0.0.1 db.internal; } >hosts
mount --bind hosts /etc/hosts
