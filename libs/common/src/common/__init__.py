"""What every Lectern service shares: settings, database, messaging, identity, errors, keys."""
