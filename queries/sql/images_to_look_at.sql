-- The images of which something is unusual, and what, the worst first: those that were judged bad,
-- then the others by how much less deep they are than the good images of their filter. Depth is
-- compared with these, zero points with the good images of their channel, of all nights. A limit
-- that nothing exceeds, as 1e9, is none.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $depth_loss (DOUBLE = 1.5) magnitudes that limitmag may be lower: the Moon takes one
--   $zero_point_loss (DOUBLE = 0.5) magnitudes that magzp may be lower: clouds
--   $zero_point_scatter (DOUBLE = 0.2) magzprms that may be, magnitudes; as ZTF's INFOBITS 11
--   $seeing (DOUBLE = 5) seeing that may be, pixels; ZTF's INFOBITS 3 says 5 arcsec
--   $matched_fraction (DOUBLE = 0.5) least fraction that must match, where there is a reference
--
-- Columns
--   pid, night, expid, field, filtercode, rcid, obsmjd [d], is_bad, reasons, airmass, seeing [pix],
--   limitmag [mag], limitmag_change [mag], magzp [mag], magzprms [mag], infobits, n_published,
--   matched_fraction, input_file
WITH compared AS (
    SELECT
        *,
        limitmag - median(limitmag) FILTER (NOT is_bad) OVER (PARTITION BY fid) AS limitmag_change,
        magzp - median(magzp) FILTER (NOT is_bad) OVER (PARTITION BY field, fid, rcid) AS lost,
        n_matched / nullif(n_published, 0) AS matched
    FROM images
), judged AS (
    SELECT
        *,
        concat_ws(
            ', ',
            CASE WHEN is_bad THEN coalesce(bad_reason, 'judged bad') END,
            CASE WHEN limitmag_change < -$depth_loss
                THEN printf('%.1f mag less deep than usual', -limitmag_change) END,
            CASE WHEN lost < -$zero_point_loss
                THEN printf('zero point %.2f mag lower than usual', -lost) END,
            CASE WHEN magzprms > $zero_point_scatter
                THEN printf('calibrators scatter by %.2f mag', magzprms) END,
            CASE WHEN seeing > $seeing THEN printf('seeing %.1f pixels', seeing) END,
            CASE WHEN n_published = 0 THEN 'no detections' END,
            CASE WHEN reference_state <> 'no_reference' AND matched < $matched_fraction
                THEN printf('%.0f %% matched', 100 * matched) END
        ) AS reasons
    FROM compared
    WHERE $night::DATE IS NULL OR night = $night::DATE
)
SELECT
    pid, night, expid, field, filtercode, rcid, obsmjd, is_bad, reasons, airmass, seeing, limitmag,
    limitmag_change, magzp, magzprms, infobits, n_published, matched AS matched_fraction, input_file
FROM judged
WHERE reasons <> ''
ORDER BY is_bad DESC, limitmag_change NULLS LAST, pid;
