#!/usr/bin/env bash
# PipeWire 1.4.2, WirePlumber 0.5.8 (Debian 12, bookworm-backports). Needs apt, dbus and network.
#
# Behaviour: a JACK client starts freewheel, at which the freewheel driver takes over all that is
# linked to it. What follows it then, `pw-dump` tells when it is asked anew: `node.driver-id` of the
# sink and of a player that is linked to it has changed. `pw-dump --monitor`, which tells of each
# other change of these nodes, has told nothing of that.
# One would have guessed: what a new pw-dump shows, a running one has told.
#
# Seen: "the export itself: told", "asked anew: changed", "told meanwhile: nothing".
set -euo pipefail
work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
if [ -n "${PIPEWIRE_UNPACKED:-}" ]; then
    cp -r "$PIPEWIRE_UNPACKED/usr" usr # as `.ci/unpack_pipewire` left it
else
    mkdir -p lists/partial cache/archives/partial
    : >status # nothing is installed: what the system has is not taken for these packages' own
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -E '/debian/?$' | sort -u | sed -n 1p)
    for each in bookworm bookworm-backports; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $each main"
    done >sources.list
    set -- -o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root
    apt-get "$@" update -qq
    apt-get "$@" --target-release bookworm-backports download -qq pipewire pipewire-bin pipewire-jack \
        libpipewire-0.3-0 libpipewire-0.3-modules libspa-0.2-modules wireplumber libwireplumber-0.5-0 liblua5.4-0
    for deb in ./*.deb; do dpkg-deb --extract "$deb" .; done
fi
libraries=$(dirname "$work"/usr/lib/*/pipewire-0.3)
share=$work/usr/share
export PATH=$work/usr/bin:$PATH LD_LIBRARY_PATH=$libraries/pipewire-0.3/jack:$libraries
export SPA_PLUGIN_DIR=$libraries/spa-0.2 SPA_DATA_DIR=$share/spa-0.2
export PIPEWIRE_MODULE_DIR=$libraries/pipewire-0.3 PIPEWIRE_CONFIG_DIR=$share/pipewire
export WIREPLUMBER_MODULE_DIR=$libraries/wireplumber-0.5 WIREPLUMBER_DATA_DIR=$share/wireplumber
export WIREPLUMBER_CONFIG_DIR=$share/wireplumber HOME=$work XDG_RUNTIME_DIR=$work
export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state

dbus-daemon --session --nofork --address="unix:path=$work/bus" >/dev/null 2>&1 &
started+=($!)
export DBUS_SESSION_BUS_ADDRESS=unix:path=$work/bus
pipewire >pipewire.log 2>&1 &
started+=($!)
until pw-cli info 0 >/dev/null 2>&1; do sleep 0.2; done
wireplumber >wireplumber.log 2>&1 &
started+=($!)
pw-cli create-node adapter '{ factory.name=support.null-audio-sink node.name=sink media.class=Audio/Sink object.linger=true audio.position=[FL FR] }' >/dev/null
cat >seen.py <<'P'
import ctypes, glob, json, os, subprocess, sys, time, wave

with wave.open("silence.wav", "wb") as file:
    file.setparams((2, 2, 48000, 0, "NONE", "none"))
    file.writeframes(bytes(4 * 48000 * 60))
while '"sink"' not in subprocess.run(["pw-dump"], capture_output=True, text=True).stdout:
    time.sleep(0.2)
player = subprocess.Popen(["pw-play", "--target", "sink", "silence.wav"])


def nodes(text):
    """The name and the properties of each node, each time that it is told."""
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        objects, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        for each in objects:
            properties = ((each.get("info") or {}).get("props")) or {}
            if "node.name" in properties:
                yield properties["node.name"], properties


def drivers(text):
    """The driver that is told last of the sink and of the player."""
    told = ((name, each.get("node.driver-id")) for name, each in nodes(text))
    return {name: driver for name, driver in told if name in ("sink", "pw-play") and driver}


def asked():
    return drivers(subprocess.run(["pw-dump"], capture_output=True, text=True).stdout)


told = open("told.json", "w+")
monitor = subprocess.Popen(["pw-dump", "--monitor"], stdout=told)
jack = ctypes.CDLL(glob.glob(os.environ["LD_LIBRARY_PATH"].split(":")[0] + "/libjack.so.0")[0])
jack.jack_client_open.restype = ctypes.c_void_p
jack.jack_port_register.restype = ctypes.c_void_p
client = ctypes.c_void_p(jack.jack_client_open(b"exporter", 1, None))
process = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)(lambda *_: 0)
jack.jack_set_process_callback(client, process, None)
for side in (b"left", b"right"):
    kind = b"32 bit float mono audio"
    jack.jack_port_register(client, side, kind, ctypes.c_ulong(2), ctypes.c_ulong(0))
jack.jack_activate(client)
time.sleep(1)
for side, channel in ((b"left", b"FL"), (b"right", b"FR")):
    jack.jack_connect(client, b"exporter:" + side, b"sink:playback_" + channel)
time.sleep(2)
before = asked()
jack.jack_set_freewheel(client, 1)
time.sleep(2)
during = asked()
monitor.terminate()
monitor.wait()
jack.jack_set_freewheel(client, 0)
player.kill()
told.seek(0)
text = told.read()
last = drivers(text)
changed = {name for name in before if during.get(name) != before[name]}
groups = [each.get("node.group", "") for name, each in nodes(text) if name == "exporter"]
print("the export itself:", "told" if "pipewire.freewheel" in groups[-1] else "untold")
print("asked anew:", "changed" if changed else "the same")
print("told meanwhile:", "nothing" if all(last.get(n) == before[n] for n in changed) else "it too")
print("before, during, told:", before, during, last, file=sys.stderr)
P
seen=$(timeout 60 python3 seen.py 2>seen.log) || { cat seen.log >&2; exit 1; }
printf '%s\n' "$seen"
[ "$seen" = $'the export itself: told\nasked anew: changed\ntold meanwhile: nothing' ] || { cat seen.log >&2; echo "this has changed"; exit 1; }
