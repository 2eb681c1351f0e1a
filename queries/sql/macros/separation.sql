-- Angle between two places on the sky, arcsec; places in degrees, ICRS.
CREATE MACRO separation(ra1, dec1, ra2, dec2) AS
    -- Half chords, squared, not cosines: 1 - cos(x) loses every digit at an arcsecond.
    7200 * degrees(asin(sqrt(least(1.0,
        pow(sin(radians(dec1 - dec2) / 2), 2)
        + cos(radians(dec1)) * cos(radians(dec2)) * pow(sin(radians(ra1 - ra2) / 2), 2)
    ))));
