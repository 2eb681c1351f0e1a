-- Whether a _healpix_29 lies in pixel npix of an order, NESTED. Of a table's own _healpix_29 and a
-- given pixel, only the files of that pixel are opened.
CREATE MACRO in_healpix(healpix_29, healpix_order, npix) AS
    healpix_29 BETWEEN npix::BIGINT << (2 * (29 - healpix_order::INTEGER))
        AND ((npix::BIGINT + 1) << (2 * (29 - healpix_order::INTEGER))) - 1;
