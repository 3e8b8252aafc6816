"""The .cu files as a program for the host, whose threads run in shuffled order or together."""

import shutil
import subprocess
from pathlib import Path

import numpy as np

import controller.workloads.cuda
from controller.workloads.cuda.kernels import KERNELS

SOURCES = Path(controller.workloads.cuda.__file__).parent
HOST = Path(__file__).parent / "cuda_on_host"
COMPILER = shutil.which("g++")


class HostKernels:
    """Builds the kernels in `folder` with `checks` of g++, and plays them until it is closed."""

    def __init__(self, folder, checks=()):
        (folder / "kernels.inc").write_text(_table())
        program = folder / "kernels"
        flags = ["-std=c++20", "-O1", "-Wall", "-Wno-unknown-pragmas", "-pthread"]
        places = [f"-I{HOST}", f"-I{folder}", str(HOST / "main.cpp"), "-o", str(program)]
        subprocess.run([COMPILER, *flags, *checks, *places], check=True)
        self._errors = (folder / "errors.txt").open("w+b")
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"TSAN_OPTIONS": "halt_on_error=1"},
        )

    def __call__(self, kernel, *arguments):
        """Launch a kernel on arrays, which are changed in place, and sizes."""
        sizes = [argument for argument in arguments if isinstance(argument, int)]
        launch = kernel.shape(*sizes)
        together = "__syncthreads" in _function(kernel)
        asked = [KERNELS.index(kernel), *launch.grid, *launch.block, together, len(arguments)]
        arrays = [
            np.asarray(argument, dtype=np.int32) if isinstance(argument, int) else argument
            for argument in arguments
        ]
        self._send(np.array(asked, dtype=np.uint32))
        for array in arrays:
            self._send(np.array(array.nbytes, dtype=np.uint32))
            self._send(array)
        self._process.stdin.flush()
        for array in arrays:
            self._receive(array)

    def close(self):
        """End the program, and fail where its sanitizer has found something."""
        self._process.stdin.close()
        self._process.stdout.close()
        status = self._process.wait()
        self._errors.seek(0)
        found = self._errors.read().decode()
        self._errors.close()
        assert status == 0, found

    def _send(self, array):
        assert array.flags.c_contiguous
        self._process.stdin.write(array.tobytes())

    def _receive(self, array):
        answer = self._process.stdout.read(array.nbytes)
        if len(answer) < array.nbytes:
            self.close()
        array[...] = np.frombuffer(answer, dtype=array.dtype).reshape(array.shape)


def _function(kernel):
    """The text of a kernel, up to the next."""
    source = (SOURCES / kernel.source).read_text()
    return source.partition(f" {kernel.name}(")[2].partition('extern "C"')[0]


def _table():
    sources = sorted({kernel.source for kernel in KERNELS})
    included = "".join(
        f'namespace of_{Path(name).stem} {{\n#include "{SOURCES / name}"\n}}\n' for name in sources
    )
    cases = "".join(
        f"    case {number}: return on_host::launch("
        f"of_{Path(kernel.source).stem}::{kernel.name}, how, data);\n"
        for number, kernel in enumerate(KERNELS)
    )
    return (
        f"{included}static void launch_kernel(\n"
        "    unsigned kernel, const on_host::Launch& how, std::vector<on_host::Bytes>& data)\n"
        f"{{\n    switch (kernel) {{\n{cases}    }}\n}}\n"
    )
