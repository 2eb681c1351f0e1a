-- Places where something was seen again and again that no reference catalogue has. Counted are
-- clean detections (catflags 0) that have no reference source of their own channel within the
-- match radius, of images that have a reference catalogue. A source is where most of these gather:
-- a detection that has more of them within $radius_arcsec than each of these has, itself included
-- (of equals, the earliest); all within that radius of it are its detections.
--
-- Parameters
--   $first_night, $last_night (DATE = null) nights to look at; null is all
--   $radius_arcsec (DOUBLE = 1.5) radius within which detections are of one source
--   $min_exposures (INTEGER = 2) exposures that must have seen it
--
-- Columns
--   ra [deg], dec [deg], n_detections, n_exposures, n_nights, filters, brightest_mag [mag],
--   scatter_arcsec [arcsec], first_hmjd [d], last_hmjd [d]
WITH unmatched AS (
    SELECT
        d.ra, d.dec, d.hmjd, d.expid, d.night, d.fid, d.mag,
        cos(radians(d.dec)) * cos(radians(d.ra)) AS x,
        cos(radians(d.dec)) * sin(radians(d.ra)) AS y,
        sin(radians(d.dec)) AS z,
        -- The length of the chord across the radius.
        2 * sin(radians($radius_arcsec / 3600) / 2) AS chord,
        row_number() OVER (ORDER BY d.hmjd, d.expid, d.rcid, d.sourceid) AS number
    FROM detections AS d
    JOIN images AS i ON i.night = d.night AND i.expid = d.expid AND i.rcid = d.rcid
    WHERE d.oid IS NULL AND d.match_rank IS NULL AND coalesce(d.catflags, 0) = 0
        AND i.reference_state <> 'no_reference'
        AND ($first_night::DATE IS NULL OR d.night >= $first_night::DATE)
        AND ($last_night::DATE IS NULL OR d.night <= $last_night::DATE)
), gridded AS (
    -- Cubes as wide as the radius, which have no poles and no seam: what is near lies in the same
    -- or a neighbouring one, so that a join by equality finds it.
    SELECT
        *, floor(x / chord)::BIGINT AS i, floor(y / chord)::BIGINT AS j,
        floor(z / chord)::BIGINT AS k
    FROM unmatched
), steps AS (
    SELECT di.s AS di, dj.s AS dj, dk.s AS dk
    FROM (VALUES (-1), (0), (1)) AS di(s), (VALUES (-1), (0), (1)) AS dj(s),
        (VALUES (-1), (0), (1)) AS dk(s)
), pairs AS (
    SELECT one.number, other.number AS near
    FROM (SELECT *, i + di AS ni, j + dj AS nj, k + dk AS nk FROM gridded, steps) AS one
    JOIN gridded AS other ON other.i = ni AND other.j = nj AND other.k = nk
    WHERE pow(one.x - other.x, 2) + pow(one.y - other.y, 2) + pow(one.z - other.z, 2)
        <= pow(one.chord, 2)
), crowds AS (
    SELECT number, count(*) AS n FROM pairs GROUP BY number
), peaks AS (
    SELECT pairs.number
    FROM pairs
    JOIN crowds ON crowds.number = near
    GROUP BY pairs.number
    HAVING arg_max(near, (n, -near)) = pairs.number
), members AS (
    SELECT peaks.number, unmatched.*, avg(x) OVER source AS cx, avg(y) OVER source AS cy,
        avg(z) OVER source AS cz
    FROM peaks
    JOIN pairs ON pairs.number = peaks.number
    JOIN unmatched ON unmatched.number = near
    WINDOW source AS (PARTITION BY peaks.number)
)
SELECT
    degrees(atan2(any_value(cy), any_value(cx))) % 360
        + CASE WHEN any_value(cy) < 0 THEN 360 ELSE 0 END AS ra,
    degrees(atan2(any_value(cz), sqrt(pow(any_value(cx), 2) + pow(any_value(cy), 2)))) AS dec,
    count(*) AS n_detections,
    count(DISTINCT expid) AS n_exposures,
    count(DISTINCT night) AS n_nights,
    string_agg(DISTINCT ['zg', 'zr', 'zi'][fid], ' ' ORDER BY ['zg', 'zr', 'zi'][fid]) AS filters,
    min(mag) AS brightest_mag,
    -- Chords from the mean place: root mean square.
    3600 * degrees(sqrt(avg(pow(x - cx, 2) + pow(y - cy, 2) + pow(z - cz, 2)))) AS scatter_arcsec,
    min(hmjd) AS first_hmjd,
    max(hmjd) AS last_hmjd
FROM members
GROUP BY number
HAVING count(DISTINCT expid) >= $min_exposures
ORDER BY n_exposures DESC, first_hmjd, ra;
