#!/bin/sh
# Switch a light on while the assistant speaks; on a Raspberry Pi: events.sh /sys/class/leds/ACT/brightness
rtctl events playback | while read -r event; do case $event in *'"started"'*) echo 1 ;; *) echo 0 ;; esac >"${1:-/dev/stdout}"; done
