"""Admission of proposals: cooldowns, limits, holds and demand; nothing is turned here."""
