-- What lies around a place: its reference sources, the nearest first, with what their clean
-- detections (catflags 0) amount to.
--
-- Parameters
--   $ra, $dec (DOUBLE) centre, degrees, ICRS
--   $radius_arcsec (DOUBLE = 5) radius, edge included
--
-- Columns
--   oid, field, filtercode, rcid, ra [deg], dec [deg], separation_arcsec [arcsec], mag [mag],
--   n_detections, n_epochs, median_mag [mag], mag_rms [mag], first_hmjd [d], last_hmjd [d]
WITH sources AS (
    SELECT *, separation(ra, dec, $ra, $dec) AS separation_arcsec
    FROM reference_sources
    WHERE cone(ra, dec, $ra, $dec, $radius_arcsec)
), measured AS (
    SELECT
        oid,
        count(*) AS n_detections,
        count(mag) FILTER (coalesce(catflags, 0) = 0) AS n_epochs,
        median(mag::DOUBLE) FILTER (coalesce(catflags, 0) = 0) AS median_mag,
        stddev_samp(mag::DOUBLE) FILTER (coalesce(catflags, 0) = 0) AS mag_rms,
        min(hmjd) FILTER (coalesce(catflags, 0) = 0) AS first_hmjd,
        max(hmjd) FILTER (coalesce(catflags, 0) = 0) AS last_hmjd
    FROM detections
    -- No archive matches farther than 60 arcsec.
    WHERE cone(ra, dec, $ra, $dec, $radius_arcsec + 60)
        AND oid IN (SELECT oid FROM sources)
    GROUP BY oid
)
SELECT
    oid, field, ['zg', 'zr', 'zi'][fid] AS filtercode, rcid, ra, dec, separation_arcsec, mag,
    coalesce(n_detections, 0) AS n_detections, coalesce(n_epochs, 0) AS n_epochs, median_mag,
    mag_rms, first_hmjd, last_hmjd
FROM sources
LEFT JOIN measured USING (oid)
ORDER BY separation_arcsec, oid;
