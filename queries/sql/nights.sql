-- The nights of the archive, first to last; n_stale of their images await a rematch.
--
-- Columns
--   night, n_exposures, n_images, n_bad_images, n_published, n_refused, n_matched,
--   matched_fraction, n_stale, first_obsmjd [d], last_obsmjd [d], iers_version, code_version
SELECT
    night, n_exposures, n_images, n_bad_images, n_published, n_refused, n_matched,
    n_matched / nullif(n_published, 0) AS matched_fraction, coalesce(n_stale, 0) AS n_stale,
    first_obsmjd, last_obsmjd, iers_version, code_version
FROM nights
LEFT JOIN (SELECT night, count(*) AS n_stale FROM stale_images GROUP BY night) USING (night)
ORDER BY night;
