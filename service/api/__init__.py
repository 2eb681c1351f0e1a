"""The API in the archive's own words, `/api/v1`: handlers only, rules lie beside them."""
