#!/usr/bin/env bash
# jackd2 1.9.21 (Debian 12), JACK-Client 0.5.5. Needs network.
#
# Behaviour: a client that activates while the server freewheels is not told so: its freewheel
# callback comes first when freewheel ends, and no call of the API tells. Only its frames do, which
# go by many times faster than the clock.
# One would have guessed: the callback comes at activation with the state that holds, as those of
# sample rate and latency do.
#
# Seen: "told while it lasts: []", "told at its end: [False]".
set -euo pipefail
work=$(mktemp -d)
trap 'kill %1 %2 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
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
cat >exporter.py <<'P'
import time
import jack

client = jack.Client("exporter", no_start_server=True)
client.set_process_callback(lambda frames: None)
client.activate()
client.set_freewheel(True)
time.sleep(6)
client.set_freewheel(False)
time.sleep(3)
client.deactivate()
P
cat >watcher.py <<'P'
import time
import jack

client, told = jack.Client("watcher", no_start_server=True), []
client.set_freewheel_callback(lambda starts: told.append(bool(starts)))
client.activate()
frames, clock = client.last_frame_time, time.monotonic()
time.sleep(1)
played, passed = client.last_frame_time - frames, time.monotonic() - clock
print("told while it lasts:", told)
print("faster than the clock:", played / client.samplerate > 2 * passed)
while not told:
    time.sleep(0.1)
print("told at its end:", told)
client.deactivate()
P
venv/bin/python exporter.py >exporter.log 2>&1 &
sleep 2
seen=$(timeout 20 venv/bin/python watcher.py 2>watcher.log)
printf '%s\n' "$seen"
expected=$'told while it lasts: []\nfaster than the clock: True\ntold at its end: [False]'
[ "$seen" = "$expected" ] || { echo "this has changed"; exit 1; }
