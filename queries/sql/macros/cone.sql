-- Whether a place lies within radius_arcsec of another, its edge included; places in degrees, ICRS.
-- Of a table's own ra and dec and a given place, only the files about that place are opened.
CREATE MACRO cone(ra, dec, ra0, dec0, radius_arcsec) AS
    -- Half chords, squared, not cosines: 1 - cos(x) loses every digit at an arcsecond.
    pow(sin(radians(dec - dec0) / 2), 2)
        + cos(radians(dec)) * cos(radians(dec0)) * pow(sin(radians(ra - ra0) / 2), 2)
        <= pow(sin(radians(least(radius_arcsec, 648000) / 3600) / 2), 2)
    AND radius_arcsec >= 0;
