"""How each chart's numbers are drawn: nothing is computed here but places on paper."""
