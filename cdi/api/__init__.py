"""The kinds of the API, one module each: types and validation rules."""
