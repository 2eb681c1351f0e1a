-- The pixel of an order, NESTED, that a _healpix_29 lies in.
CREATE MACRO healpix_cell(healpix_29, healpix_order) AS
    healpix_29::BIGINT >> (2 * (29 - healpix_order::INTEGER));
