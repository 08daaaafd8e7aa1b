"""Does it answer, predict, search and refuse rightly? Every measuring command lives here."""
