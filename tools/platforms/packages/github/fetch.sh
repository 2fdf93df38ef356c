#!/bin/sh
# Fetches what students have pushed: fetch.sh STUDENTS.CSV FOLDER PART PARTS [SERVER]
# STUDENTS.CSV has the columns id and repository (OWNER/NAME), and no others. Of PARTS parts only
# one is fetched; PART 0 is all. FOLDER/list.csv is then what `grade-cow --class` grades. The token
# in TOKEN, if there is one, is used to fetch and is not stored.
set -eu
students=$1 folder=$2 part=$3 parts=$4 server=${5:-https://github.com}
address=$server
[ -z "${TOKEN:-}" ] || address="https://x-access-token:$TOKEN@${server#https://}"
mkdir -p "$folder"
echo "id,path" >"$folder/list.csv"

tr -d '\r' <"$students" | {
    read -r header
    [ "$header" = id,repository ] || { echo "$students: no columns id,repository" >&2; exit 1; }
    number=0
    while IFS=, read -r id repository; do
        number=$((number + 1))
        [ "$part" = 0 ] || [ $((number % parts + 1)) = "$part" ] || continue
        case $id in '' | *[!A-Za-z0-9._@+-]* | .*) echo "wrong id: $id" >&2; exit 1 ;; esac
        git -c "url.$address/.insteadOf=$server/" clone -q --depth 1 -c core.symlinks=false \
            "$server/$repository" "$folder/$id"
        echo "$id,$id" >>"$folder/list.csv"
    done
}
