"""What of a proposal is admitted: cooldowns, limits, holds and demand; it turns nothing itself."""
