import pytest


@pytest.fixture(scope="session", params=["arrays"])
def play(request):
    """Runs a kernel: its twin on arrays."""
    return lambda kernel, *arguments: kernel.on_arrays(*arguments)
