"""Small pictures of uploaded images: made once for the same bytes, whichever courses use them."""
