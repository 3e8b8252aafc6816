#!/bin/sh
# The first process of a container. When it ends, all others are killed, the watchdog too; so
# after an end that was none of the controller's own, it leaves the watchdog time to restore.
kapellmeister "$@" &
controller=$!
trap 'kill -TERM "$controller" 2>/dev/null' TERM INT HUP
status=0
while :; do
    wait "$controller"
    status=$?
    kill -0 "$controller" 2>/dev/null || break # else a signal has merely interrupted the wait
done
case $status in
    0 | 2) ;;
    *) sleep 2 ;;
esac
exit "$status"
