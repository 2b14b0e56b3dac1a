-- spend as the server has kept it since refreshed_at, for dashboards over many millions of lines: it is made anew every
-- reporting.refresh, and is there only where that is set
--
-- A sum over spend decides for each line what it counts as. Here that is done beforehand, so that it costs what a sum over a
-- plain table does. Each row says of when it is.
SELECT *, now64(3, 'UTC') AS refreshed_at
FROM spend
