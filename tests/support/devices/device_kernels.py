"""The kernels on a real device."""

import cupy
import numpy as np
from host_kernels import SOURCES


class DeviceKernels:
    """Copies arrays to the device, launches a kernel on them, and copies them back."""

    def __init__(self):
        cupy.cuda.Device(0).use()
        self._modules = {}

    def __call__(self, kernel, *arguments):
        """Launch a kernel on arrays, which are changed in place, and sizes."""
        sizes = [argument for argument in arguments if isinstance(argument, int)]
        launch = kernel.shape(*sizes)
        passed = [
            np.int32(argument) if isinstance(argument, int) else cupy.asarray(argument)
            for argument in arguments
        ]
        function = self._module(kernel.source).get_function(kernel.name)
        function(launch.grid, launch.block, tuple(passed), shared_mem=launch.shared_bytes)
        for argument, on_device in zip(arguments, passed, strict=True):
            if not isinstance(argument, int):
                argument[...] = on_device.get()

    def _module(self, source):
        if source not in self._modules:
            code = (SOURCES / source).read_text()
            self._modules[source] = cupy.RawModule(code=code, options=("--std=c++17",))
        return self._modules[source]
