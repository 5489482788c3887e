#!/usr/bin/env bash
# Whether the process in this container is able to serve: `healthy.sh PORT` asks its /readyz. Bash alone, because it runs every few seconds.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET /readyz HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n' >&3
IFS= read -r -t 3 answer <&3
tail -n 1 <&3  # the reasons, which `docker inspect` shows
[[ $answer == *" 200 "* ]]
