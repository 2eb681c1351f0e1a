-- Where one night looked: one row per field and quadrant, all its exposures and filters together.
--
-- Parameters
--   $night (DATE) night
--
-- Columns
--   field, ccdid, qid, rcid, ra [deg], dec [deg], axis2_angle [deg], n_images, n_bad_images,
--   n_published, n_matched, matched_fraction, detections_per_image
SELECT
    field, ccdid, qid, rcid, arg_min(ra, pid) AS ra, arg_min(dec, pid) AS dec,
    degrees(atan2(arg_min(cd1_2, pid), arg_min(cd2_2, pid))) AS axis2_angle,
    count(*) AS n_images,
    count(*) FILTER (is_bad) AS n_bad_images,
    sum(n_published)::BIGINT AS n_published,
    sum(n_matched)::BIGINT AS n_matched,
    sum(n_matched) / nullif(sum(n_published), 0) AS matched_fraction,
    sum(n_published) / count(*) AS detections_per_image
FROM images
WHERE night = $night AND ra IS NOT NULL AND dec IS NOT NULL
GROUP BY field, ccdid, qid, rcid
ORDER BY field, rcid;
