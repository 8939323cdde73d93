"""The accounts this service needs to know: who is global staff, and whose name is whose id."""
