"""Forecasters on past loads: rolling origins, losses and coverage."""
