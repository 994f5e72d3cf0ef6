"""The paper's datasets from their original public files: places, transfer and conversion."""
