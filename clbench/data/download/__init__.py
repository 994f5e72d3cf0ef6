"""Downloads the datasets of the paper from their original public files and converts them."""
