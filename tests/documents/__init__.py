"""The fenced blocks of README and docs, and the shops that they speak of."""
