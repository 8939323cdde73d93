"""What a block looks like to a person: links, sanitised html, problems without answers, videos. No I/O."""
