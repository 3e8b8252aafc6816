#!/usr/bin/env bash
# CuPy 14.2.0 (cupy-cuda13x), NVRTC 13.5.37, numpy 2.4.6. Needs no GPU and no driver, and network.
#
# Behaviour: cupy.cuda.nvrtc.getCUBIN returns the cubin without its last byte: an ELF file whose
# table of program headers, which stands at its end, is one byte longer than the file. The driver
# loads it all the same; nvdisasm and readelf, given the bytes in a file, do not read that table.
# One would have guessed: as many bytes as nvrtcGetCUBINSize tells, as getPTX leaves off only the
# zero byte that ends a text.
#
# Seen: "bytes short 1".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet cupy-cuda13x==14.2.0 nvidia-cuda-nvrtc==13.5.37 numpy==2.4.6

cat >compile.py <<'P'
import struct

from cupy.cuda import nvrtc

SOURCE = 'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2.0f; }'
program = nvrtc.createProgram(SOURCE, "twice.cu", (), ())
nvrtc.compileProgram(program, ("--gpu-architecture=sm_90",))
cubin = nvrtc.getCUBIN(program)
assert cubin[:4] == b"\x7fELF"
programs_at, sections_at = struct.unpack_from("<QQ", cubin, 0x20)
program_bytes, programs, section_bytes, sections = struct.unpack_from("<HHHH", cubin, 0x36)
ends = programs_at + program_bytes * programs, sections_at + section_bytes * sections
print("bytes short", max(ends) - len(cubin))
P
seen=$(venv/bin/python compile.py)
printf '%s\n' "$seen"
[ "$seen" = "bytes short 1" ] || { echo "this has changed"; exit 1; }
