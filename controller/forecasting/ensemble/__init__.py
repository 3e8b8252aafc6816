"""The forecast out of many members: weights, residuals, dependence, coverage; no model enters."""
