#!/usr/bin/env bash
# jackd2 1.9.21 (Debian 12), JACK-Client 0.5.5. Needs root or CAP_SYS_NICE, and network.
#
# Behaviour: when a client starts freewheel, as every export does, the server makes the process
# thread of each client SCHED_OTHER, also one that somebody else had made real-time and also where
# the server itself runs without real-time (-r). When freewheel ends, nothing is given back.
# One would have guessed: a server that gave no real-time takes none, or puts back what it found.
#
# Seen: "before F60", "freewheel O0", "after O0".
set -euo pipefail
work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
for package in jackd2=1.9.21~dfsg-3 libjack-jackd2-0=1.9.21~dfsg-3 libopus0 libdb5.3 libsamplerate0; do
    apt-get download -qq "$package"
done
for deb in ./*.deb; do dpkg-deb --extract "$deb" root; done
libraries=$(dirname "$(find "$work/root" -name 'libjack.so.0' | head -n 1)")
export LD_LIBRARY_PATH=$libraries JACK_DRIVER_DIR=$libraries/jack
export JACK_DEFAULT_SERVER=finding$$ JACK_NO_AUDIO_RESERVATION=1
python3 -m venv venv
venv/bin/pip install --quiet JACK-Client==0.5.5

root/usr/bin/jackd -n "$JACK_DEFAULT_SERVER" -r -d dummy -r 48000 -p 256 >jackd.log 2>&1 &
sleep 2
cat >client.py <<'P'
import os, threading, time
import jack

client = jack.Client("exporter", no_start_server=True)
thread = []


@client.set_process_callback
def process(frames):
    if not thread:
        thread.append(threading.get_native_id())


def scheduled():
    policy = os.sched_getscheduler(thread[0]) & ~os.SCHED_RESET_ON_FORK
    letter = {os.SCHED_OTHER: "O", os.SCHED_FIFO: "F", os.SCHED_RR: "R"}[policy]
    return f"{letter}{os.sched_getparam(thread[0]).sched_priority}"


client.activate()
time.sleep(1)
os.sched_setscheduler(thread[0], os.SCHED_FIFO, os.sched_param(60))
print("before", scheduled())
client.set_freewheel(True)
time.sleep(1)
print("freewheel", scheduled())
client.set_freewheel(False)
time.sleep(2)
print("after", scheduled())
client.deactivate()
P
seen=$(venv/bin/python client.py 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = $'before F60\nfreewheel O0\nafter O0' ] || { echo "this has changed"; exit 1; }
