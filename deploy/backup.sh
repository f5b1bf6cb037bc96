#!/bin/sh
# backup.sh FOLDER [KEEP]: write one more backup into the folder, then delete all but the newest KEEP (14). For cron.
# Says nothing and ends with 0 when it worked. MANAGE is how manage.py is run; by default in the compose file's service web.
set -eu
folder=${1:?Say into which folder: backup.sh FOLDER [KEEP]}
keep=${2:-14}
cd "$(dirname "$0")/.."
umask 077
mkdir -p "$folder"
file=$folder/council-$(date -u +%Y-%m-%dT%H%M%SZ).backup
log=$(mktemp)
trap 'rm -f "$log" "$file.part"' EXIT
# A backup that broke off never gets the name of a whole one, and costs no older one.
if ! ${MANAGE:-docker compose exec -T web python manage.py} backup - >"$file.part" 2>"$log" || ! [ -s "$file.part" ]; then
    cat "$log" >&2
    echo "There is no new backup; the older ones are kept." >&2
    exit 1
fi
mv "$file.part" "$file"
find "$folder" -maxdepth 1 -name 'council-*.backup' | sort -r | tail -n "+$((keep + 1))" | while read -r old; do rm -f -- "$old"; done
