"""How much of a device the arena takes."""

import pytest

from controller.errors import ConfigurationError
from controller.executors.vram.config import VRAMConfig

GIB = 1 << 30


def test_a_share_of_what_is_free_or_as_much_as_is_named():
    assert VRAMConfig().arena_bytes(10_000_000_001) == 8_000_000_000
    assert VRAMConfig(total_bytes=GIB + 100).arena_bytes(2 * GIB) == GIB


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"total_bytes": 2 * GIB},
            r"vram: total_mib or share_of_free: 2,147,483,648 bytes are more",
        ),
        ({"total_bytes": 65_536}, r"block_bytes: 131,072 bytes are more than the 65,536 of the"),
        ({"share_of_free": 0.0001}, r"block_bytes: 131,072 bytes are more than the 107,374"),
        ({"share_of_free": 0.0}, r"share_of_free: 0 is no share"),
        ({"block_bytes": 100_000}, r"block_bytes: 100,000 bytes are no size for a block; give a"),
    ],
)
def test_what_no_arena_can_have_is_refused_in_one_line(config, message):
    with pytest.raises(ConfigurationError, match=message):
        VRAMConfig(**config).arena_bytes(GIB)
