"""The copy of the gateway's accounts."""
