"""The codecs in plain integers: the definition."""
