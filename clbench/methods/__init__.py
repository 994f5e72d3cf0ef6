"""The interface of a method, and the parts that methods share."""
