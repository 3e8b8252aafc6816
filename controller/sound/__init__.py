"""The sound that streams play: recordings from files, or sounds that are synthesised here."""

from controller.sound.bank import SoundBank
from controller.sound.clip import Sound
from controller.sound.files import load_sound
from controller.sound.synthesis import synthesise_sounds

__all__ = ["Sound", "SoundBank", "load_sound", "synthesise_sounds"]
