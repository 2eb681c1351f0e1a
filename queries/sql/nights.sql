-- The nights of the archive, first to last.
--
-- Columns
--   night, n_exposures, n_images, n_bad_images, n_published, n_refused, n_matched,
--   matched_fraction, first_obsmjd [d], last_obsmjd [d], iers_version, code_version
SELECT
    night, n_exposures, n_images, n_bad_images, n_published, n_refused, n_matched,
    n_matched / nullif(n_published, 0) AS matched_fraction,
    first_obsmjd, last_obsmjd, iers_version, code_version
FROM nights
ORDER BY night;
