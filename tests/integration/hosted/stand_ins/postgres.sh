# What is used of the image `postgres`: a volume for the data, and a user with a password and a database of that name.
set -eu
data=/var/lib/postgresql/data

as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }

if [ ! -s $data/PG_VERSION ]; then
    install -d -o postgres -g postgres -m 0700 $data
    install -o postgres -m 0600 /dev/null /tmp/password
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    as_postgres initdb --no-sync --pgdata $data --username "$POSTGRES_USER" --pwfile /tmp/password \
        --auth-local trust --auth-host scram-sha-256
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>$data/pg_hba.conf
    echo "CREATE DATABASE $POSTGRES_USER" | as_postgres postgres --single -D $data postgres
fi
exec setpriv --reuid postgres --regid postgres --init-groups \
    postgres -D $data -c listen_addresses='*' -c fsync=off
