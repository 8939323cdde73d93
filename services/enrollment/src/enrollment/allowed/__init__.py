"""The allowed list: e-mail addresses that may enroll in a course, or are enrolled as soon as an account has them."""
