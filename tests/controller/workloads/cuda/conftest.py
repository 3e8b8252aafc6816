import pytest
from host_kernels import COMPILER, HostKernels

CHECKS = {
    "host": (),
    "bounds": ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "races": ("-g", "-fsanitize=thread"),
}


@pytest.fixture(
    scope="session",
    params=[
        "arrays",
        pytest.param("host", marks=pytest.mark.slow),
        pytest.param("bounds", marks=pytest.mark.slow),
        pytest.param("races", marks=pytest.mark.slow),
        pytest.param("device", marks=pytest.mark.gpu),
    ],
)
def play(request, tmp_path_factory):
    """Runs a kernel on arrays: its twin; its source built for the host; the kernel on a device.

    Built with checks, it ends where it reads or writes out of `bounds`, or where threads race.
    """
    if request.param == "arrays":
        yield lambda kernel, *arguments: kernel.on_arrays(*arguments)
    elif request.param == "device":
        yield request.getfixturevalue("device_kernels")
    else:
        if COMPILER is None:
            pytest.skip("g++, which builds the kernels for the host, is not installed")
        kernels = HostKernels(tmp_path_factory.mktemp(request.param), CHECKS[request.param])
        yield kernels
        kernels.close()


@pytest.fixture(scope="session")
def device_kernels():
    cupy = pytest.importorskip("cupy", reason="CuPy, which runs kernels, is not installed")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device can be used: {error}")
    from device_kernels import DeviceKernels

    return DeviceKernels()
