"""Who may enroll in which course by e-mail, as enrollment says."""
