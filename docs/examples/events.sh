#!/bin/sh
# 1 when the assistant begins to speak, 0 when it ends: events.sh >/sys/class/leds/ACT/brightness
rtctl events playback | while read -r event; do case $event in *'"started"'*) echo 1 ;; *) echo 0 ;; esac; done
