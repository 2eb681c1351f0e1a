-- What was refused, night by night, why, and what to do about it.
--
-- Columns
--   night, input_file, code, what, hint, n_rows, first_row
SELECT night, input_file, code, what, hint, n_rows, first_row
FROM refusals
ORDER BY night NULLS LAST, input_file, code;
