"""Course trees with versions and branches, assets and course teams."""
