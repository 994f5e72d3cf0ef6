"""Where texts come from: folders of JSON lines, and the documentation of installed libraries."""
