-- What was refused, night by night, why, and what to do about it.
--
-- Parameters
--   $night (DATE = null) only what was refused of this night; null is everything
--
-- Columns
--   night, input_file, code, what, hint, n_rows, first_row
SELECT night, input_file, code, what, hint, n_rows, first_row
FROM refusals
WHERE $night::DATE IS NULL OR night = $night::DATE
ORDER BY night NULLS LAST, input_file, code;
