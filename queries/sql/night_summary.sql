-- What each night brought, filter by filter: counts of all images, and of the good ones airmass,
-- seeing, depth and zero point, medians.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--
-- Columns
--   night, filtercode, n_exposures, n_images, n_bad_images, n_without_reference, n_published,
--   n_refused, n_matched, matched_fraction, first_obsmjd [d], last_obsmjd [d], median_airmass,
--   median_seeing [pix], median_limitmag [mag], median_magzp [mag]
SELECT
    night, filtercode,
    count(DISTINCT expid) AS n_exposures,
    count(*) AS n_images,
    count(*) FILTER (is_bad) AS n_bad_images,
    count(*) FILTER (reference_state = 'no_reference') AS n_without_reference,
    sum(n_published)::BIGINT AS n_published,
    sum(n_refused)::BIGINT AS n_refused,
    sum(n_matched)::BIGINT AS n_matched,
    sum(n_matched) / nullif(sum(n_published), 0) AS matched_fraction,
    min(obsmjd) AS first_obsmjd,
    max(obsmjd) AS last_obsmjd,
    median(airmass) FILTER (NOT is_bad) AS median_airmass,
    median(seeing) FILTER (NOT is_bad) AS median_seeing,
    median(limitmag) FILTER (NOT is_bad) AS median_limitmag,
    median(magzp) FILTER (NOT is_bad) AS median_magzp
FROM images
WHERE $night::DATE IS NULL OR night = $night::DATE
GROUP BY night, filtercode
ORDER BY night, filtercode;
