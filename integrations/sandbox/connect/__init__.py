"""FlatPeak Connect: sessions, the dialogue that a browser leads, and its pages."""
