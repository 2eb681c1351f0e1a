-- How many detections found their reference source, by night, field and filter: images without
-- reference catalogue are counted apart, and the worst of the others is named.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--
-- Columns
--   night, field, filtercode, n_images, n_bad_images, n_without_reference, n_published, n_matched,
--   matched_fraction, min_matched_fraction, worst_pid
SELECT
    night, field, filtercode,
    count(*) AS n_images,
    count(*) FILTER (is_bad) AS n_bad_images,
    count(*) FILTER (NOT has_reference) AS n_without_reference,
    sum(n_published) FILTER (has_reference)::BIGINT AS n_published,
    sum(n_matched) FILTER (has_reference)::BIGINT AS n_matched,
    sum(n_matched) FILTER (has_reference)
        / nullif(sum(n_published) FILTER (has_reference), 0) AS matched_fraction,
    min(fraction) AS min_matched_fraction,
    arg_min(pid, (fraction, pid)) FILTER (fraction IS NOT NULL) AS worst_pid
FROM (
    SELECT
        *, reference_state <> 'no_reference' AS has_reference,
        CASE WHEN reference_state <> 'no_reference'
            THEN n_matched / nullif(n_published, 0) END AS fraction
    FROM images
    WHERE $night::DATE IS NULL OR night = $night::DATE
)
GROUP BY night, field, fid, filtercode
ORDER BY night, field, fid;
