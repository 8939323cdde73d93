"""What a course was: its versions, what each changed, and the way back to any of them."""
